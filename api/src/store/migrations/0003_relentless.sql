-- Relentless Identity: what was asked and answered at once, and on which terms jobs were taken.

create table request (
    id            uuid primary key,
    client        uuid not null references client,
    -- 'finder' or 'probe'.
    kind          text not null,
    -- The product's words for what came of it.
    state         text not null,
    outcome       text not null,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    duration_ms   int not null,
    charge_micros int not null,
    -- Who was asked about and what was answered, sealed. None of whoever wanted to be forgotten.
    sealed        bytea,
    -- Eight octets by which a person is found who wants that.
    tokens        bytea not null
);
alter table request alter column sealed set storage external;
-- Pages and their counts; what was used.
create index request_of_client on request (client, created_at desc, id desc) include (kind, state)
    where sealed is not null;
create index request_use on request (client, created_at) include (charge_micros);
create index request_expiry on request (expires_at);

-- On which terms a job was taken, and what came of it.
create table relentless_job (
    -- It is written before its job, in the same transaction.
    job             uuid primary key references job on delete cascade deferrable initially deferred,
    -- What holds for it, whatever is configured later: nothing of whom it is about.
    terms           text not null,
    -- Held until it ends, and used up then, in millionths of the currency.
    reserved_micros int not null,
    actual_micros   int not null default 0,
    -- It is known that there was such a job until then.
    header_until    timestamptz not null,
    -- What is told of its end: who ran the mail hosts, and how large its artifact is.
    summary         text
);
