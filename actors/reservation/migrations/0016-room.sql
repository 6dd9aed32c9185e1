-- Room for the versions of all rows of a page when they are decided in one commit. At 60 a fifth of them went to other pages, each with
-- three new index entries.
alter table reservation set (fillfactor = 50);
