-- Tasks: what their clients are told of many verdicts at once.

-- Sums of arrays, place by place.
create function plus(one int[], other int[]) returns int[] language sql immutable
    as $$ select coalesce(array_agg(coalesce(a, 0) + coalesce(b, 0) order by place), '{}')
          from unnest(one, other) with ordinality as pair (a, b, place) $$;
create aggregate sum_of_places (int[]) (sfunc = plus, stype = int[], initcond = '{}');

alter table part
    -- Of its final verdicts, those about addresses of functions, and, by category, those about disposable addresses.
    add column role_based int not null default 0,
    add column disposable int[] not null default '{}',
    add column written_at timestamptz not null default now();

alter table job
    -- The same of all its verdicts, frozen when it ends; before, the parts tell.
    add column role_based int,
    add column disposable int[];

-- How far jobs have come, by their verdicts.
create view progress as
    select job.id as job,
        coalesce(job.counts, (select sum_of_places(counts) from part where part.job = job.id)) as counts,
        coalesce(job.role_based, (select sum(role_based) from part where part.job = job.id), 0)::int as role_based,
        coalesce(job.disposable, (select sum_of_places(disposable) from part where part.job = job.id)) as disposable,
        coalesce(job.ended_at, (select max(written_at) from part where part.job = job.id)) as told_at
    from job;
