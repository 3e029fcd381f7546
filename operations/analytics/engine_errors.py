"""Messages of DuckDB's errors, in one line and with the remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from operations.analytics.options import CACHE_VARIABLE
from operations.errors import OperatorError

COLUMNS_DOCUMENT = "docs/sql.md lists the columns of the relation objects"
COLUMNS_HELP = f"{COLUMNS_DOCUMENT}, and DESCRIBE objects prints them"
FULL = (
    "The disk is full: delete files (`tapstack cache clear` deletes the cache), or use another disk "
    f"({CACHE_VARIABLE} is the folder of the cache)"
)
VALUES = (
    "Write a time as '2026-01-31 12:00:00' (UTC), a day as '2026-01-31', and a size as a number of bytes. DESCRIBE "
    "objects prints the types of the columns"
)
FUNCTIONS = "https://duckdb.org/docs/stable/sql/functions/overview lists the functions"
DELETED = "Another process deleted the rows in the cache: start the tool again"
MEMORY = "Give more memory with --memory, such as --memory 4GB, or more disk space with TAPSTACK_CACHE"
DAMAGED = "If a file in the cache is damaged, delete it with `tapstack cache clear`, and start again"
REMEDIES = (
    (duckdb.Error, "No space left on device", FULL),
    (duckdb.Error, "quota exceeded", FULL),
    (duckdb.OutOfMemoryException, "'max_temp_directory_size'", FULL),
    (duckdb.Error, "Could not write file", f"Use another disk or folder ({CACHE_VARIABLE} is the folder of the cache)"),
    (duckdb.CatalogException, "Table with name", f"The only table is objects; {COLUMNS_HELP}"),
    (duckdb.CatalogException, "Function with name", FUNCTIONS),
    (duckdb.CatalogException, "", COLUMNS_HELP),
    (duckdb.BinderException, "", COLUMNS_HELP),
    (duckdb.ParserException, "", "The SQL dialect is that of DuckDB; docs/sql.md has examples"),
    (duckdb.ConversionException, "", VALUES),
    (duckdb.IOException, "No files found", DELETED),
    # DuckDB searches for a folder with the name of a file that another process deleted.
    (duckdb.PermissionException, ".parquet/**", DELETED),
    (duckdb.PermissionException, "", "SQL can only read the relation objects, not files, URLs and extensions"),
    (duckdb.OutOfMemoryException, "", MEMORY),
    (duckdb.InternalException, "", DAMAGED),
    (duckdb.Error, ".parquet'", DAMAGED),
    (duckdb.Error, '.parquet"', DAMAGED),
    (duckdb.Error, "Parquet", DAMAGED),
)
"""Classes of errors, words in their messages, and the remedies. The first entry with both applies."""
OMITTED = re.compile(
    r" Candidate functions:.*"  # the signatures of a function
    r"| Possible solutions:.*| This limit was set by .*"  # settings that users cannot change
    r"| - file system operations are disabled by configuration"
    r'|(?<=does not exist!) Did you mean "(?:pg_|duckdb_|sqlite_)[^"]*"\?'  # tables of DuckDB itself
)
"""Parts of messages that do not help users."""
MISSING_COLUMN = re.compile(r'Referenced column "([^"]*)" not found')


@contextmanager
def translated_errors(action: str = "run the SQL statement") -> Iterator[None]:
    """Raise DuckDB's errors as OperatorErrors that state the remedy.

    Args:
        action: the action as an infinitive without "to".
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.Error as error:
        raise OperatorError(f"cannot {action}: {message(error)}") from error


def message(error: duckdb.Error) -> str:
    """Return the message of an error in one line, without the excerpt of the SQL text, and with the remedy."""
    excerpt, _, sql = str(error).strip().partition("\nLINE ")
    text = " ".join(line.strip() for line in excerpt.splitlines() if line.strip())
    # If a parallel write fails, the text of DuckDB's exception is a JSON document.
    if match := re.search(r'"exception_message":("(?:[^"\\]|\\.)*")', text):
        text = json.loads(match[1])
    found = (remedy for kind, words, remedy in REMEDIES if words in text and isinstance(error, kind))
    remedies = [next(found, DAMAGED if type(error) is duckdb.Error else "")]
    if (column := MISSING_COLUMN.search(text)) and f'"{column[1]}"' in sql:
        remedies.insert(0, f"If {column[1]} is a text, write it in single quotes: '{column[1]}'.")
    text = OMITTED.sub("", text).rstrip(".")
    return " ".join([f"{text}{'' if text.endswith(('!', '?')) else '.'}", *remedies]).rstrip(". ")
