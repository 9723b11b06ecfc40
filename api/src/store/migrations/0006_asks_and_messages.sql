-- How many recipients are asked about because of a job and of each of its chunks: several for a person who is to be found.
-- Items, where nobody is asked. Those that are older do not know: as many as they have items.
alter table job add column asks int;
alter table chunk add column asks int;

-- What messages said that are over: it was kept before.
update webhook set sealed = '' where state <> 'pending' and sealed <> '';
-- What is still to be told of the ends of jobs, where somebody is forgotten.
create index webhook_pending on webhook (job) where state = 'pending' and job is not null;
