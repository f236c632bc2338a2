# Dead letters with soft deletes, with rows as CSV, and of a change log.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE notes (id int, part text, note text, n int, PRIMARY KEY (id, part));
		CREATE TABLE events (note text, n int);
		SQL
	publication => 'TABLE notes, events',
	settings => [ 'flush_interval=0', 'on_bad_row=dead_letter', 'audit_columns=on', 'delete_mode=soft',
		'change_log=keyless', 'starrocks_format=csv' ],
	run => 0);
my $audit = 'dbmazz_op_type TINYINT NULL, dbmazz_is_deleted BOOLEAN NULL, dbmazz_synced_at DATETIME NULL, dbmazz_cdc_version BIGINT NULL';
$target->sql("CREATE TABLE notes (id INT NOT NULL, part VARCHAR(50) NOT NULL, note VARCHAR(10) NULL, n INT NULL, $audit) PRIMARY KEY (id, part)", 'shop');
my $ddl = query($node, q(SELECT dbmazz.target_ddl('events', pipeline => 'shop')));
$ddl =~ s/(`note` )(STRING|VARCHAR\(\d+\))/$1VARCHAR(10)/;
$target->sql($ddl, 'shop');
$node->run_pipeline('postgres', 'shop');

sub shown
{
	return join ' ', map { /"id":(\d+).*"note":(null|"[^"]*").*"dbmazz_is_deleted":(true|false|null)/ ? "$1=$2,$3" : () }
	  @{ $target->rows('shop', 'notes') };
}

query($node, q(INSERT INTO notes VALUES (1, 'a, "b"', 'one', 1), (2, 'x', 'two', 2), (3, '\N', 'three', 3)));
arrived($node);
query($node, q(UPDATE notes SET note = repeat('w', 20)));
arrived($node);
is(query($node, q(SELECT string_agg(key::text, ' ' ORDER BY key ->> 'id') FROM dbmazz.dead_letters)),
	'{"id":1,"part":"a, \"b\""} {"id":2,"part":"x"} {"id":3,"part":"\\\\N"}', 'keys are the same from CSV and JSON');
is(query($node, q(SELECT DISTINCT "row" ->> 'note', "row" ? '__op', jsonb_typeof("row" -> 'n') FROM dbmazz.dead_letters)),
	'wwwwwwwwwwwwwwwwwwww|f|number', 'and so are rows');
query($node, q(DELETE FROM notes WHERE id = 2));
query($node, q(UPDATE notes SET n = 30, note = 'short' WHERE id = 3));
arrived($node);
is(shown(), '1="one",false 2="two",false 3="three",false', 'changes of dead keys are not sent');

query($node, q(SELECT dbmazz.replay_dead_letters('shop')));
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM dbmazz.replay_request') or die 'no replay';
is(shown(), '1="one",false 2="two",true 3="short",false', 'the deleted row is marked, and keeps its values');
is(query($node, q(SELECT string_agg(DISTINCT key ->> 'id', ' ') FROM dbmazz.dead_letters)), '1', 'the bad one stays');
$target->sql('ALTER TABLE notes MODIFY COLUMN note VARCHAR(30)', 'shop');
query($node, q(SELECT dbmazz.replay_dead_letters('shop')));
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM dbmazz.dead_letters') or die 'no replay';
is(shown(), '1="wwwwwwwwwwwwwwwwwwww",false 2="two",true 3="short",false', 'until the target takes it');

# ---- a change log: no keys --------------------------------------------------------------------

query($node, q(INSERT INTO events SELECT CASE WHEN g % 25 = 3 THEN repeat('x', 11) ELSE 'e' || g END, g FROM generate_series(1, 100) g));
arrived($node);
is($target->count('shop', 'events'), 96, 'the others are there');
is(query($node, q(SELECT count(*), count(key), string_agg("row" ->> 'n', ' ' ORDER BY id) FROM dbmazz.dead_letters)),
	'4|0|3 28 53 78', 'the letters have the rows');
restart_stream($node);
query($node, q(INSERT INTO events VALUES ('last', 101)));
arrived($node);
is(query($node, q(SELECT count(*) FROM dbmazz.dead_letters)), 4, 'none is entered twice');
is(query($node, q(SELECT dbmazz.replay_dead_letters('shop'))), 0, 'they cannot be replayed');

unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminating any other/, 'the server was not harmed');
$node->stop;
done_testing();
