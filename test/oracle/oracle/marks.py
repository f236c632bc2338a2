"""Which rows the target must have marked as deleted, with delete_mode=soft.

Triggers of the subscriber tell: it applies the same changes in the same order, and has the row that goes.
"""

import json

from .policy import FORMATS
from .schema import ident, literal

# hstore(record) has the texts that the types' output functions make
_FUNCTION = """
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA public;
CREATE SCHEMA marks;
CREATE TABLE marks.gone (relation text, key text, columns jsonb, PRIMARY KEY (relation, key));

CREATE FUNCTION marks.texts(any_row record) RETURNS jsonb LANGUAGE plpgsql {settings} AS $$
BEGIN
    RETURN public.hstore_to_jsonb(public.hstore(any_row));
END $$;

CREATE FUNCTION marks.note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before jsonb;
    after jsonb;
    was text;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM marks.gone WHERE relation = TG_ARGV[0];
        RETURN NULL;
    END IF;
    before := marks.texts(OLD);
    after := CASE WHEN TG_OP = 'UPDATE' THEN marks.texts(NEW) END;
    SELECT jsonb_agg(before -> name ORDER BY n)::text INTO was
    FROM jsonb_array_elements_text(TG_ARGV[1]::jsonb) WITH ORDINALITY k(name, n)
    HAVING after IS NULL OR bool_or(before -> name IS DISTINCT FROM after -> name);
    IF was IS NOT NULL THEN
        INSERT INTO marks.gone VALUES (TG_ARGV[0], was, before)
        ON CONFLICT (relation, key) DO UPDATE SET columns = excluded.columns;
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
"""


def _name(relation):
    return ".".join(map(ident, relation))


def watch(connection, schema):
    """'connection' is one of the subscriber, whose tables are there."""
    settings = " ".join(part.strip() for part in FORMATS.split(";") if "search_path" not in part)
    connection.execute(_FUNCTION.replace("{settings}", settings + " SET search_path = pg_catalog"))
    for table in schema.tables:
        keys = json.dumps([c.name for c in table.keys])
        for relation in table.relations(schema.via_root):
            name = _name(relation)
            old, new = (", ".join(f"{row}.{c.quoted}" for c in table.keys) for row in ("OLD", "NEW"))
            call = f"EXECUTE FUNCTION marks.note({literal(name)}, {literal(keys)})"
            connection.execute(
                f"CREATE TRIGGER marks BEFORE DELETE ON {name} FOR EACH ROW {call};"
                # by the bytes: keys that are equal may have several texts
                f"CREATE TRIGGER marks_key BEFORE UPDATE ON {name} FOR EACH ROW"
                f" WHEN (ROW({old})::record OPERATOR(pg_catalog.*<>) ROW({new})::record) {call};"
                f"CREATE TRIGGER marks_all BEFORE TRUNCATE ON {name} FOR EACH STATEMENT {call};"
                # the apply worker is a replica
                f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER marks;"
                f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER marks_key;"
                f"ALTER TABLE {name} ENABLE ALWAYS TRIGGER marks_all")


def gone(connection, relation):
    """Columns and texts of the rows that went, as they were; some of the keys may be there again."""
    found = connection.execute("SELECT columns::text FROM marks.gone WHERE relation = %s", (_name(relation),))
    return [json.loads(row) for (row,) in found.fetchall()]
