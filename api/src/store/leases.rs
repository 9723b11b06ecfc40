//! Sessions that processes lease of what mail hosts bear: in sum never more than all processes together may have.

/// What others hold, and how many of them there are.
pub(super) const HELD_BY_OTHERS: &str = "
select coalesce(sum(sessions), 0)::int as sessions, count(*)::int as holders from session_lease
where egress = $1 and key = $2 and worker <> $3 and until > now()";

pub(super) const HOLD: &str = "
insert into session_lease (egress, key, worker, sessions, until)
values ($1, $2, $3, $4, now() + $5 * interval '1 second')
on conflict (egress, key, worker) do update set sessions = excluded.sessions, until = excluded.until";

pub(super) const LET_GO: &str = "delete from session_lease where egress = $1 and key = $2 and worker = $3";

pub(super) const LET_ALL_GO: &str = "delete from session_lease where worker = $1";

pub(super) const SWEEP: &str = "delete from session_lease where until < now() - interval '1 hour'";
