-- Books with rules of their own: holds from before get their claims.
create index book_rules on book (bookid) where rules is not null;
