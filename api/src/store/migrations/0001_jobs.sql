-- Who submits jobs.
create table client (
    id          uuid primary key,
    name        text not null unique,
    -- Tasks of this client that may be at work at the same time.
    running_max int not null default 16 check (running_max > 0),
    created_at  timestamptz not null default now()
);
insert into client (id, name, running_max) values
    -- Tasks that nobody submitted.
    ('00000000-0000-7000-8000-000000000000', 'mailsonde', 1000),
    -- Whoever types commands on the host.
    ('00000000-0000-7000-8000-000000000001', 'local', 1000);

-- The keys that this store was written with: a process that does not hold one of them is refused.
create table key (
    id         bytea primary key,
    -- A known text, sealed with the key: another key of the same id cannot open it.
    sealed     bytea not null,
    created_at timestamptz not null default now()
);

-- Processes that work, and when the database last heard of them.
create table worker (
    id         uuid primary key,
    host       text not null,
    started_at timestamptz not null default now(),
    seen_at    timestamptz not null default now()
);

create table job (
    id          uuid primary key,
    client      uuid not null references client,
    state       text not null check (state in ('running', 'paused', 'completed', 'canceled')),
    pipeline    text not null,
    -- Stages that are left out.
    skips       text[] not null,
    items       int not null,
    created_at  timestamptz not null default now(),
    deadline_at timestamptz not null,
    started_at  timestamptz,
    ended_at    timestamptz,
    -- What those get who have no verdict when the job ends: 'deadline_passed' or 'canceled'.
    left_over   text check (left_over in ('deadline_passed', 'canceled')),
    -- Verdicts of each category, frozen when the job ends; before, the parts tell.
    counts      int[],
    -- Results are kept until then, the header for longer.
    expires_at  timestamptz not null,
    pruned_at   timestamptz
);
create index job_of_client on job (client, created_at desc);
create index job_live on job (id) where state in ('running', 'paused');
create index job_expiry on job (expires_at) where pruned_at is null;

-- A share of a job's items that is worked at together.
create table chunk (
    job      uuid not null,
    no       int not null,
    -- Whose patience it uses up: an operator's id, or a domain.
    operator text not null,
    items    int not null,
    -- How often its items were asked about before, by servers that wanted us to come back.
    round    int not null default 0,
    -- Rows and inputs, sealed.
    sealed   bytea not null,
    -- Eight octets an item, by which a person is found who wants to be forgotten.
    tokens   bytea not null,
    -- Set when it failed for good: its items are `unknown · stage_fault`.
    dead     boolean not null default false,
    primary key (job, no)
);
-- Sealed text cannot be compressed.
alter table chunk alter column sealed set storage external, alter column tokens set storage external;

-- Verdicts of a chunk, written as they become known. The verdicts of a chunk are all its parts together.
create table part (
    job    uuid not null,
    chunk  int not null,
    no     int not null,
    -- The lease under which it was written: an unclear commit is looked up by it.
    fence  bigint not null,
    -- Verdicts that are final, in all and by category.
    final  int not null,
    counts int[] not null,
    -- The verdicts, sealed.
    sealed bytea not null,
    primary key (job, chunk, no)
);
alter table part alter column sealed set storage external;

-- The queue. docs/jobs.md has its states.
create table task (
    id           bigint generated always as identity primary key,
    kind         text not null check (kind in ('chunk', 'close', 'retention')),
    client       uuid not null,
    job          uuid,
    chunk        int,
    state        text not null default 'ready' check (state in ('ready', 'held', 'running', 'dead')),
    -- Not before.
    due_at       timestamptz not null default now(),
    -- Earliest first.
    deadline_at  timestamptz not null,
    -- Failures.
    attempt      smallint not null default 0,
    snoozes      int not null default 0,
    -- Counts the leases: who holds an old one cannot write.
    fence        bigint not null default 0,
    worker       uuid,
    leased_until timestamptz,
    -- What went wrong last; holds no address.
    error        text
) with (fillfactor = 60, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
create index task_ready on task (client, deadline_at, id) where state = 'ready';
-- Not by time: so that a lease is extended without touching an index.
create index task_running on task (client) where state = 'running';
create index task_held on task (job) where state = 'held';
create index task_of_job on task (job);

-- Sessions that processes hold of what an operator or a set of mail hosts bears, from one identity of ours.
create table session_lease (
    egress   int not null,
    -- An operator, or a blind index of a set of mail hosts.
    key      text not null,
    worker   uuid not null,
    sessions int not null,
    -- Sessions that it could use: others make room. With none of them yet, the row stays.
    wanted   int not null,
    until    timestamptz not null,
    primary key (egress, key, worker)
);
create index session_lease_of_worker on session_lease (worker);

-- What probes have learned, for all processes.
create table learned (
    kind    text not null,
    -- A blind index: it would name a domain.
    key     text not null,
    sealed  bytea not null,
    until   timestamptz not null,
    -- Counts up with each change, in the order of commits: processes ask for what is newer than they know.
    version bigint generated always as identity,
    primary key (kind, key)
);
create index learned_version on learned (version);
create index learned_until on learned (until);

-- What operators were heard to bear, and the hosts of nobody known: 'domain' where many are asked about, and 'mixed'.
create table capacity (
    operator text primary key,
    -- Recipients that one session asks about in a second: usually, and lately.
    usual    float8 not null,
    lately   float8 not null,
    -- The share of recipients that are asked about again.
    again    float8 not null,
    -- Seconds at full use for which it was heard, and when it was last.
    heard_seconds float8 not null,
    heard_at timestamptz not null,
    slow_since timestamptz
);

-- Mailboxes known to refuse mail, in the whole installation.
create table history (
    -- A blind index: the id of its key, and an HMAC of the address.
    token   bytea primary key,
    source  text not null check (source in ('bounce', 'probe')),
    seen_at timestamptz not null
);
create index history_seen on history (seen_at);

-- Comes back every hour.
insert into task (kind, client, deadline_at) values ('retention', '00000000-0000-7000-8000-000000000000', now());
