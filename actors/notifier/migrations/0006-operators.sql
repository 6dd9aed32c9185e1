-- The alert as it was last posted, for lists. Null in rows from before.
alter table alert add column alert jsonb;
create index alert_told on alert (told_at, fingerprint);

-- Kinds that are rare, and so would be looked for among all notices. Customers' notices are not in it.
create index notice_for_staff on notice (kind, seq) where kind in ('purchase-requested', 'delivery-failed', 'alert');
