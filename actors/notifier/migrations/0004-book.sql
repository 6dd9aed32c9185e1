-- The title and author of each book, as the last of stock's receipts gave them. Notices name the book by them.
create table book (
  bookid  text primary key,
  title   text not null,
  author  text not null,
  -- Of the book, in that receipt: an older receipt changes nothing.
  version bigint not null
);
