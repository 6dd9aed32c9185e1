-- The text that `GET /books?q=` searches. A table of its own, which counting copies does not touch: the row of a book, which changes with
-- each reservation, does not grow, and no index is added that would end its HOT updates. A trigger fills the table, so that a
-- version of the service that does not know of it fills it too. The books that are there already come with the next file.

-- One spelling for what people take for the same: compatible forms of Unicode are composed (NFKC), case is folded, accents and
-- what cannot be seen go, dashes and quotes become those of a keyboard, blanks in a row become one. Lower case needs a collation
-- that knows every script, whatever the database's own one is.
do $do$
declare
  every_script text := coalesce(
    (select collname from pg_collation where collname = 'pg_c_utf8' limit 1),
    (select collname from pg_collation where collname = 'und-x-icu' limit 1),
    'default'
  );
begin
  execute format($f$
    create function search_fold(given text) returns text language sql immutable strict parallel safe as $$
      select btrim(regexp_replace(
        replace(replace(lower(normalize(
          regexp_replace(
            translate(normalize(given, nfkd), '‐‑‒–—―−‘’‚“”„', '-------''''''"""'),
            '[\u0001-\u0008\u00ad\u0300-\u036f\u200b-\u200f\u2060\ufeff]', '', 'g'
          ), nfkc) collate pg_catalog.%I), 'ß', 'ss'), 'ς', 'σ'),
        '\s+', ' ', 'g'))
    $$
  $f$, every_script);
end $do$;

-- The text of a book in which a search looks. Its ISBN, which may be its id, is in it as it was written and without hyphens.
create function search_key(bookid text, title text, author text, isbn text)
returns text language sql immutable strict parallel safe as $$
  select key || case when compact = bookid || ' ' || isbn then '' else ' ' || compact end
  from (select
    reservation.search_fold(bookid || ' ' || title || ' ' || author || ' ' || isbn) as key,
    translate(bookid, '-', '') || ' ' || lower(translate(isbn, '- ‐‑‒–—―−', '')) as compact
  ) as it
$$;

-- The text that is looked for. An ISBN, or the beginning of one, is looked for without hyphens.
create function search_term(q text) returns text language sql immutable strict parallel safe as $$
  select case
    when it ~ '^(isbn[-: ]*(1[03][: ]+)?)?(97[89][-0-9 ]*|([0-9][- ]?){9}[0-9x])$'
      then translate(regexp_replace(it, '^isbn[-: ]*(1[03][: ]+)?', ''), '- ', '')
    else it
  end
  from (select reservation.search_fold(q) as it) as folded
$$;

-- Every character of a text, and every two that follow each other: pairs from the first on, and pairs from the second on.
-- Unlike trigrams of pg_trgm they find words of two letters, as most Korean ones are, in a database of any locale, and need no extension.
create function search_grams(given text) returns text[] language sql immutable strict parallel safe as $$
  select string_to_array(given, null)
    || string_to_array(regexp_replace(given, '(..)', '\1' || chr(1), 'g'), chr(1))
    || string_to_array(regexp_replace(substr(given, 2), '(..)', '\1' || chr(1), 'g'), chr(1))
$$;

-- Pairs that a book must have in which the term is, or its only character: at most eight, from all over the term. They lead to the
-- book as well as all would. In no characters at all every book has a part.
create function search_needles(term text) returns text[] language sql immutable strict parallel safe as $$
  select case length(term) when 0 then '{}' when 1 then array[term] else array(
    select distinct substr(term, 1 + i * (length(term) - 2) / 7, 2) from generate_series(0, 7) as i
  ) end
$$;

create table book_search (
  bookid text primary key,
  key    text collate "C" not null
);
create index book_search_grams on book_search using gin (search_grams(key));

create function note_book_search() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and (old.title, old.author, old.isbn) = (new.title, new.author, new.isbn) then
    return null;
  end if;
  insert into reservation.book_search (bookid, key)
  values (new.bookid, reservation.search_key(new.bookid, new.title, new.author, new.isbn))
  on conflict (bookid) do update set key = excluded.key;
  return null;
end $$;

create trigger book_search after insert or update of title, author, isbn on book
for each row execute function note_book_search();
