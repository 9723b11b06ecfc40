-- How addresses of domains are made of names: counts, and nothing of whom they are.
create table domain_format (
    -- A blind index: it would name a domain.
    domain  text not null,
    -- 'first.last' and its kin.
    format  text not null,
    -- How many were seen, the older ones counted for less: as it was then.
    weight  float8 not null,
    seen_at timestamptz not null,
    primary key (domain, format)
);
create index domain_format_seen on domain_format (seen_at);
