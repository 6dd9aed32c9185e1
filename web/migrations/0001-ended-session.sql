-- Sessions that ended before they expired. A key is the hash of a session's id or of a userid: sessions that began before are over.
create table ended_session (
  key text primary key,
  at timestamptz not null
);

create index ended_session_at on ended_session (at);
