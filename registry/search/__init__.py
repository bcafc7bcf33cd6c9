"""Finding certificates by any piece of a word, Chinese or not, newest first (decisions D29).

grams → tables → store

- `grams`: what is searched in a text, and the tokens of two characters that an index of words can find again.
- `tables`: the line of the public register, and its index: FTS5 on SQLite, a `simple` tsvector on PostgreSQL;
  other areas give their own tables of lines the same index.
- `store`: the line of an entry, and the questions asked of the lines; `look` asks them of any area's lines.

A registration whose publicity was waived has no line here, so no search can tell anything of it; its code is answered
by `registry.answering.catalogue` without the index. The index narrows down; whether a word stands in a line is decided
on the line's own text, so both databases give the same answers.
"""
