-- Columns that tell who somebody is, as somebody named them; null: they are recognised.
alter table models add column personal text[];
