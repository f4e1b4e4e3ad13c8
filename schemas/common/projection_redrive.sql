-- Dead letters that are to be handled again: an order that anybody may give, in the row of the letter.
alter table projection_dead_letter
    -- Whose: the range that gave it up. Letters from before this file belong to the first one.
    add column if not exists first_slice int     not null default 0,
    -- Set by anybody: whoever runs the range gives it to the handler once more, and then either removes
    -- the row or clears this.
    add column if not exists redrive     boolean not null default false;

create index if not exists projection_dead_letter_redrive_idx
    on projection_dead_letter (projection, version, first_slice, ordering) where redrive;
