-- The books that were there before the trigger. A file, and so a transaction, of its own: it holds no lock that stock's events
-- would wait for.
insert into book_search (bookid, key)
select bookid, search_key(bookid, title, author, isbn) from book
on conflict (bookid) do nothing;
analyze book_search;
