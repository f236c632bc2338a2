"""Helpers of the checks: C text without comments, functions, files of a tree."""

import os
import re
import subprocess

TOKEN = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def _blank(text):
    return re.sub(r'[^\n]', ' ', text)


def without_comments(text):
    """Same length and lines, comments blanked, strings kept."""
    return TOKEN.sub(
        lambda m: _blank(m[0]) if m[0].startswith('/') else m[0], text)


def only_code(text):
    """Same length and lines, comments and the insides of strings blanked."""
    def replace(m):
        if m[0].startswith('/'):
            return _blank(m[0])
        return m[0][0] + _blank(m[0][1:-1]) + m[0][-1]
    return TOKEN.sub(replace, text)


def functions(text):
    """(name, first line, last line, body) of functions in PostgreSQL's layout."""
    code = only_code(text)
    lines = code.split('\n')
    start = None
    for i, line in enumerate(lines):
        if start is None and line.startswith('{'):
            above = ' '.join(lines[max(0, i - 20):i]).rstrip()
            if above.endswith(')') or above.endswith('))'):
                start = i
                names = []
                for back in reversed(lines[max(0, i - 20):i]):
                    found = re.match(r'([A-Za-z_]\w*)\s*\(', back)
                    if found:
                        names.append(found[1])
                        break
                name = names[0] if names else '?'
        elif start is not None and line.startswith('}'):
            yield name, start + 1, i + 1, '\n'.join(lines[start:i + 1])
            start = None


def line_of(text, position):
    return text.count('\n', 0, position) + 1


def balanced(code, opening):
    """End of the parenthesis that opens at this position."""
    depth = 0
    for i in range(opening, len(code)):
        if code[i] == '(':
            depth += 1
        elif code[i] == ')':
            depth -= 1
            if depth == 0:
                return i + 1
    return len(code)


def enclosing_calls(code, position):
    """Names of the calls whose arguments contain this position."""
    names = []
    depth = 0
    i = position - 1
    while i >= 0 and code[i] not in ';{}':
        if code[i] == ')':
            depth += 1
        elif code[i] == '(':
            if depth == 0:
                found = re.search(r'([A-Za-z_]\w*)\s*$', code[:i])
                if found:
                    names.append(found[1])
            else:
                depth -= 1
        i -= 1
    return names


def tree_files(root):
    """Paths of the files that git knows or would know; all if there is no git."""
    if os.path.exists(os.path.join(root, '.git')):
        out = subprocess.run(
            ['git', '-c', 'safe.directory=*', 'ls-files', '-z', '--cached',
             '--others', '--exclude-standard'],
            cwd=root, stdout=subprocess.PIPE, check=True).stdout
        names = sorted(set(out.decode().split('\0')) - {''})
    else:
        names = []
        for folder, folders, files in os.walk(root):
            folders[:] = [f for f in folders if f not in (
                'tmp_check', '__pycache__', '.pytest_cache', 'build')]
            names += [os.path.relpath(os.path.join(folder, f), root)
                      for f in files]
        names.sort()
    return [n for n in names if os.path.isfile(os.path.join(root, n))]


def read(root, name):
    """The text of a file, or None if it is not text."""
    try:
        with open(os.path.join(root, name), encoding='utf-8') as file:
            return file.read()
    except UnicodeDecodeError:
        return None
