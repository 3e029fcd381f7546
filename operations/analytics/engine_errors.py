"""Converts DuckDB's errors to error messages on one line, with a remedy."""

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
    "The disk is full: delete files (`tapstack cache clear` deletes the cache), or set "
    f"{CACHE_VARIABLE} to a folder on another disk"
)
VALUES = (
    "Write a time as '2026-01-31 12:00:00' (UTC), a day as '2026-01-31', and a size as a number of bytes. DESCRIBE "
    "objects prints the types of the columns"
)
FUNCTIONS = "https://duckdb.org/docs/stable/sql/functions/overview lists DuckDB's functions"
DELETED = "Another process deleted the cached rows: start the tool again"
MEMORY = f"Increase the limit with --memory, such as --memory 4GB, or set {CACHE_VARIABLE} to a folder on a larger disk"
DAMAGED = "A file in the cache may be damaged: delete the cache with `tapstack cache clear`, and start the tool again"
READ_ONLY = "A query can only read the relation objects. It cannot read files or URLs, or load extensions"
REMEDIES = (
    (duckdb.Error, "No space left on device", FULL),
    (duckdb.Error, "quota exceeded", FULL),
    (duckdb.OutOfMemoryException, "'max_temp_directory_size'", FULL),
    (duckdb.Error, "Could not write file", f"Set {CACHE_VARIABLE} to a folder on another disk"),
    (duckdb.CatalogException, "Table with name", f"The only table is objects; {COLUMNS_HELP}"),
    (duckdb.CatalogException, "Function with name", FUNCTIONS),
    (duckdb.CatalogException, "", COLUMNS_HELP),
    (duckdb.BinderException, "", COLUMNS_HELP),
    (duckdb.ParserException, "", "The SQL dialect is that of DuckDB; docs/sql.md has examples"),
    (duckdb.ConversionException, "", VALUES),
    (duckdb.IOException, "No files found", DELETED),
    # If a file was deleted, DuckDB searches for a folder with its name, which it may not read.
    (duckdb.PermissionException, ".parquet/**", DELETED),
    (duckdb.PermissionException, "", READ_ONLY),
    (duckdb.OutOfMemoryException, "", MEMORY),
    (duckdb.InternalException, "", DAMAGED),
    (duckdb.Error, ".parquet'", DAMAGED),
    (duckdb.Error, '.parquet"', DAMAGED),
    (duckdb.Error, "Parquet", DAMAGED),
)
"""Error class, text in the error message, and the remedy to print. The first match is used."""
OMITTED = re.compile(
    r" Candidate functions:.*"  # DuckDB lists all signatures of the function.
    r"| Possible solutions:.*| This limit was set by .*"  # DuckDB suggests settings that users cannot change.
    r"| - file system operations are disabled by configuration"
    r'|(?<=does not exist!) Did you mean "(?:pg_|duckdb_|sqlite_)[^"]*"\?'  # DuckDB suggests internal tables.
)
"""Matches parts of DuckDB's error messages that do not help users."""
MISSING_COLUMN = re.compile(r'Referenced column "([^"]*)" not found')


@contextmanager
def translated_errors(action: str = "run the SQL statement") -> Iterator[None]:
    """Context manager that converts DuckDB's errors to OperatorErrors with a remedy.

    Args:
        action: the failed action for the message, such as "run the query".
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.Error as error:
        raise OperatorError(f"cannot {action}: {message(error)}") from error


def message(error: duckdb.Error) -> str:
    """Return DuckDB's error message on one line, without the quoted SQL text, followed by the remedy."""
    excerpt, _, sql = str(error).strip().partition("\nLINE ")
    text = " ".join(line.strip() for line in excerpt.splitlines() if line.strip())
    # If one of several writing threads fails, DuckDB's exception contains a JSON document instead of a message.
    if match := re.search(r'"exception_message":("(?:[^"\\]|\\.)*")', text):
        text = json.loads(match[1])
    found = (remedy for kind, words, remedy in REMEDIES if words in text and isinstance(error, kind))
    remedies = [next(found, DAMAGED if type(error) is duckdb.Error else "")]
    if (column := MISSING_COLUMN.search(text)) and f'"{column[1]}"' in sql:
        remedies.insert(0, f"If {column[1]} is a text, write it in single quotes: '{column[1]}'.")
    text = OMITTED.sub("", text).rstrip(".")
    return " ".join([f"{text}{'' if text.endswith(('!', '?')) else '.'}", *remedies]).rstrip(". ")
