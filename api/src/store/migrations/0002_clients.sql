-- Clients: what they may do, what they used up, and whom they want to be told.
alter table client
    add column active        boolean not null default true,
    -- Credits of a month; none: as many as they like.
    add column monthly_quota bigint check (monthly_quota >= 0),
    -- At the quota nothing more is done. Else it is only said.
    add column hard_cap      boolean not null default false,
    -- Where it is said that much of the quota is used up, sealed.
    add column alert_url     bytea;

-- What a client shows to be let in. The key itself is shown once and kept nowhere.
create table api_key (
    id         uuid primary key,
    client     uuid not null references client,
    -- The product whose clients' shape it has: 'email-verifier', 'relentless' or 'tasks'.
    facade     text not null,
    -- Its first characters, by which people know it again.
    hint       text not null,
    -- The id of a pepper, and an HMAC of the key.
    digest     bytea not null unique,
    scopes     text[] not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz
);
create index api_key_of_client on api_key (client);

-- The month to which credits are counted now: in UTC, its first day.
create function billing_month() returns date language sql stable
    as $$ select date_trunc('month', now() at time zone 'UTC')::date $$;

-- Credits of a client in a month.
create table usage (
    client   uuid not null references client,
    month    date not null,
    settled  bigint not null default 0,
    -- Held for what is under way.
    reserved bigint not null default 0,
    -- The share of the quota, in percent, up to which was told.
    told     smallint not null default 0,
    primary key (client, month)
) with (fillfactor = 50);
-- The present month is swept, however many there were.
create index usage_of_month on usage (month);

-- The shares of a quota, in percent, at which a client is told: those that it has come to.
create function reached(settled bigint, quota bigint) returns setof smallint language sql immutable
    as $$ select percent::smallint from (values (80), (100)) as threshold (percent)
          where settled > 0 and settled::numeric * 100 >= quota::numeric * percent $$;

-- Credits that are held for a job or a request, by its id. Gone when they are settled.
create table reservation (
    id     uuid primary key,
    client uuid not null,
    month  date not null,
    units  bigint not null,
    -- Items of a job that hold nothing: whatever is found out about them, they cost nothing.
    blank  bigint not null default 0,
    -- A request's are free again then, if its process died. A job's are held until it ends.
    until  timestamptz
);
create index reservation_until on reservation (until) where until is not null;

-- Who writes down the credits of requests, many at once. A process looks here whether a commit of its own whose answer
-- was lost has taken place.
create table ledger (
    id      uuid primary key,
    -- The number of the group that it has written last, and the month to which it was counted.
    written bigint not null default 0,
    month   date,
    -- Of whom nothing was counted in it: clients who had no line yet, holds that were over.
    left_out uuid[] not null default '{}',
    seen_at timestamptz not null default now()
) with (fillfactor = 50);

-- Answers that are given again to whoever asks again with the same key.
create table idempotency (
    client  uuid not null,
    -- A blind index of method, path and key.
    key     bytea not null,
    until   timestamptz not null,
    -- None of these while it is worked at: a blind index of the body that was answered, and the answer, sealed.
    request bytea,
    status  smallint,
    sealed  bytea,
    -- Blind indexes of the people in the answer, eight octets each.
    tokens  bytea,
    primary key (client, key)
);
create index idempotency_until on idempotency (until);

-- What signs a client's webhooks.
create table webhook_secret (
    id         uuid primary key,
    client     uuid not null references client,
    sealed     bytea not null,
    created_at timestamptz not null default now(),
    -- During a rotation the old one signs too, until then.
    expires_at timestamptz
);
create index webhook_secret_of_client on webhook_secret (client);

-- What is to be told to somebody, as it was when it happened.
create table webhook (
    -- The same at every try.
    id         uuid primary key,
    client     uuid not null,
    job        uuid,
    -- The host it goes to, as a blind index: each has a queue of its own.
    host       bytea not null,
    -- Where it goes and what it says, sealed.
    sealed     bytea not null,
    state      text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts   int not null default 0,
    -- What went wrong last. It is what a stranger answered, so it is sealed.
    error      bytea,
    created_at timestamptz not null default now(),
    ended_at   timestamptz
);
create index webhook_of_job on webhook (job);

alter table job
    -- The product by which it came, or 'local'.
    add column facade   text not null default 'local',
    -- What it was made from: 'batch', a list, or another word of its product.
    add column source   text not null default 'batch',
    -- The name of the file that it was made from, sealed.
    add column filename bytea,
    -- Where its end is told, sealed.
    add column callback bytea,
    -- What is told of its rows when inputs and evidence are deleted, sealed.
    add column outcomes bytea,
    -- How the file is written that it was made from, and what its columns are, sealed.
    add column layout   bytea;

-- Rows of the file that a job was made from, as they came.
create table sheet (
    -- It is written before its job, in the same transaction.
    job       uuid not null references job on delete cascade deferrable initially deferred,
    no        int not null,
    -- The job's row that is the first of these.
    first_row int not null,
    rows      int not null,
    -- The rows, sealed.
    sealed    bytea not null,
    -- Eight octets a row, by which a person is found who wants to be forgotten.
    tokens    bytea not null,
    primary key (job, no)
);
-- Sealed text cannot be compressed.
alter table sheet alter column sealed set storage external, alter column tokens set storage external;

alter table task
    drop constraint task_kind_check,
    add constraint task_kind_check check (kind in ('chunk', 'close', 'retention', 'webhook')),
    add column webhook uuid;
create index task_of_webhook on task (webhook) where webhook is not null;
