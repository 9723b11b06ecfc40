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
create index request_of_client on request (client, created_at desc, id desc);
create index request_expiry on request (expires_at);
