-- Letters that Unicode does not take apart, and that people without them on their keyboard write otherwise: ø, ł, đ, ð, ħ, ŧ and the
-- Turkish ı without their strokes and gaps, æ, œ and þ as two. The slash of ½ is that of a keyboard.
do $do$
declare
  every_script text := coalesce(
    (select collname from pg_collation where collname = 'pg_c_utf8' limit 1),
    (select collname from pg_collation where collname = 'und-x-icu' limit 1),
    'default'
  );
begin
  execute format($f$
    create or replace function search_fold(given text) returns text language sql immutable strict parallel safe as $$
      select btrim(regexp_replace(
        translate(
          replace(replace(replace(replace(replace(lower(normalize(
            regexp_replace(
              translate(normalize(given, nfkd), '‐‑‒–—―−‘’‚“”„', '-------''''''"""'),
              '[\u0001-\u0008\u00ad\u0300-\u036f\u200b-\u200f\u2060\ufeff]', '', 'g'
            ), nfkc) collate pg_catalog.%I), 'ß', 'ss'), 'ς', 'σ'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
          'øłđðħŧı⁄', 'olddhti/'),
        '\s+', ' ', 'g'))
    $$
  $f$, every_script);
end $do$;

update book_search as found set key = search_key(book.bookid, book.title, book.author, book.isbn)
from book
where found.bookid = book.bookid and concat(title, ' ', author, ' ', isbn) ~ '[øłđðħŧıæœþØŁĐÐĦŦÆŒÞ⁄¼-¾⅐-⅞]';
