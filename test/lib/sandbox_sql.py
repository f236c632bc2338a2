"""Run statements on the MySQL port of a sandbox: sandbox_sql.py PORT [DATABASE] < SQL

Statements are separated by a semicolon at the end of a line.  Rows are printed
as psql -At prints them: one a line, columns separated by "|", NULL empty.
"""

import re
import sys

import pymysql


def main():
    port = int(sys.argv[1])
    database = sys.argv[2] if len(sys.argv) > 2 and sys.argv[2] else None
    connection = pymysql.connect(host='127.0.0.1', port=port, user='root', password='',
                                 database=database, autocommit=True)
    try:
        with connection.cursor() as cursor:
            for statement in re.split(r';[ \t]*(?:\n|$)', sys.stdin.read()):
                if not statement.strip():
                    continue
                cursor.execute(statement)
                for row in cursor.fetchall() if cursor.description else ():
                    print('|'.join('' if v is None else str(v) for v in row))
    except pymysql.Error as error:
        sys.stderr.write(f'sandbox: {error.args[-1]}\n')
        return 1
    finally:
        connection.close()
    return 0


sys.exit(main())
