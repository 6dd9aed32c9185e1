-- The kinds of notices about books with a queue or a hold shelf. Their other facts are in `details`.
alter table notice
  drop constraint notice_kind_check,
  add constraint notice_kind_check check (kind in (
    'reserved', 'failed', 'cancelled', 'purchase-requested', 'delivery-failed', 'alert',
    'queued', 'ready', 'reminder', 'extended', 'expired', 'taken-back', 'handed-over'
  )) not valid;
