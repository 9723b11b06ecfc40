-- How many recipients are asked about because of a job and of each of its chunks: several for a person who is to be found.
-- Items, where nobody is asked. Those that are older do not know: as many as they have items.
alter table job add column asks int;
alter table chunk add column asks int;
