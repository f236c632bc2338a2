# Dead letters are sent again: rows as the source has them by then, deletes for
# those that it does not have any more.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE notes (id int PRIMARY KEY, note text, body text, n int);
		ALTER TABLE notes ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE keys (b bool, t text, at timestamptz, d numeric(10,2), day date, note text,
			PRIMARY KEY (b, t, at, d, day));
		SQL
	publication => 'TABLE notes, keys',
	settings => ['flush_interval=0', 'on_bad_row=dead_letter']);

sub narrow
{
	$target->sql(<<~'SQL', 'shop');
		CREATE TABLE notes (id INT NOT NULL, note VARCHAR(10) NULL, body STRING NULL, n INT NULL)
		PRIMARY KEY (id) DISTRIBUTED BY HASH (id)
		SQL
	$target->sql(<<~'SQL', 'shop');
		CREATE TABLE `keys` (b BOOLEAN NOT NULL, t VARCHAR(60) NOT NULL, at DATETIME NOT NULL,
			d VARCHAR(40) NOT NULL, day DATE NOT NULL, note VARCHAR(10) NULL)
		PRIMARY KEY (b, t, at, d, day) DISTRIBUTED BY HASH (t)
		SQL
	return;
}

# The dead keys, after a replay.
sub replay
{
	my (@arguments) = @_;
	my $list = join ', ', map { "'$_'" } 'shop', @arguments;
	my $n = query($node, "SELECT dbmazz.replay_dead_letters($list)");
	$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM dbmazz.replay_request')
	  or die 'no replay';
	return $n;
}

sub dead_ids
{
	return query($node, q(SELECT coalesce(string_agg(DISTINCT key ->> 'id', ' '), '')
		FROM dbmazz.dead_letters WHERE target = 'notes'));
}

narrow();

# ---- each way in which a key can be left -----------------------------------------------------

query($node, q(INSERT INTO notes SELECT g, 'n' || g, repeat('b', 3000), g FROM generate_series(1, 20) g));
arrived($node);
# 1: widened below; 2: shortened in the source; 3: deleted; 4: deleted and inserted again;
# 5: changed without its large value; 6: its key moves away; 7: remains bad
query($node, q(UPDATE notes SET note = repeat('x', 10 + id) WHERE id <= 7));
arrived($node);
query($node, q(UPDATE notes SET note = 'short', n = 100 WHERE id = 2));
query($node, q(DELETE FROM notes WHERE id IN (3, 4)));
query($node, q(INSERT INTO notes VALUES (4, 'again', NULL, 4)));
query($node, q(UPDATE notes SET n = 500 WHERE id = 5));
query($node, q(UPDATE notes SET id = 60, note = 'moved' WHERE id = 6));
query($node, q(INSERT INTO notes VALUES (8000, 'fine', 'f', 1)));
arrived($node);
is(dead_ids(), '1 2 3 4 5 6 7', 'the keys are dead');
is($target->count('shop', 'notes'), 22, 'the target has them as they were, and the row under another key');

# nothing of the table comes in this life before the replay
restart_stream($node);
my $letters = query($node, 'SELECT count(*) FROM dbmazz.dead_letters');
is(replay('notes'), $letters, 'the number of letters is returned');
is(dead_ids(), '1 5 7', 'those that are good by now are not dead any more');
is(join(' ', map { /"id":(\d+),"note":"([^"]*)"/ ? "$1=$2" : () } grep { /"id":[1-7],/ } @{ $target->rows('shop', 'notes') }),
	'1=n1 2=short 4=again 5=n5 7=n7', 'they are as in the source');
like(slurp_file($node->logfile), qr/dead letters of target table notes are replayed, \d+ are left/, 'the log tells');

query($node, q(UPDATE notes SET n = n + 1 WHERE id IN (1, 2, 4)));
query($node, q(DELETE FROM notes WHERE id = 60));
arrived($node);
is(dead_ids(), '1 5 7', 'their changes are sent again');

$target->sql('ALTER TABLE notes MODIFY COLUMN note VARCHAR(16)', 'shop');
query($node, q(UPDATE notes SET note = repeat('y', 17) WHERE id = 1));
arrived($node);
replay();
is(dead_ids(), '1 7', 'what is refused again stays');
is(query($node, q(SELECT count(*) FROM dbmazz.dead_letters d WHERE error IS NOT NULL AND detail ~ 'too long'
	AND id = (SELECT max(id) FROM dbmazz.dead_letters WHERE key::text = d.key::text))), 2, 'with the new reason');
$target->sql('ALTER TABLE notes MODIFY COLUMN note VARCHAR(100)', 'shop');
replay('notes');
is(dead_ids(), '', 'none is left');
same_rows($node, $target, 'notes');

# ---- while changes are made ----------------------------------------------------------------------

query($node, q(INSERT INTO notes SELECT g, repeat('z', 101), repeat('b', 3000), g FROM generate_series(100, 299) g));
arrived($node);
$target->sql('ALTER TABLE notes MODIFY COLUMN note VARCHAR(200)', 'shop');
query($node, <<~'SQL');
	SELECT dbmazz.replay_dead_letters('shop');
	UPDATE notes SET n = n + 1 WHERE id BETWEEN 100 AND 180;
	DELETE FROM notes WHERE id BETWEEN 150 AND 160;
	UPDATE notes SET id = id + 1000 WHERE id BETWEEN 170 AND 190;
	SQL
replay();
same_rows($node, $target, 'notes');
is(dead_ids(), '', 'no key is dead');

# ---- keys of several types -------------------------------------------------------------------------

query($node, <<~'SQL');
	INSERT INTO keys VALUES
		(true, 'a "quoted", \ text', '2024-02-29 12:00:00.123456+00', 1.50, '2024-01-01', repeat('x', 20)),
		(false, 'é', '2024-02-29 12:00:00+00', -0.05, '0001-01-01', repeat('x', 20)),
		(false, '', '1999-12-31 23:59:59+00', 0, '9999-12-31', 'good');
	SQL
arrived($node);
is(query($node, q(SELECT count(*) FROM dbmazz.dead_letters)), 2, 'two of them are dead');
$target->sql('ALTER TABLE `keys` MODIFY COLUMN note VARCHAR(30)', 'shop');
replay('keys');
is(query($node, q(SELECT count(*) FROM dbmazz.dead_letters)), 0, 'all are replayed');
same_rows($node, $target, 'keys');

# ---- what keeps a replay from being done does not stop the table -------------------------------------

query($node, q(INSERT INTO keys VALUES (true, 'z', '2024-01-01', 1, '2024-01-01', repeat('x', 31))));
arrived($node);
query($node, 'ALTER PUBLICATION dbmazz_pub DROP TABLE keys');
replay();
is(query($node, q(SELECT count(*) FROM dbmazz.dead_letters)), 1, 'the letter of a table that is not published stays');
like(slurp_file($node->logfile), qr/dead letters of target table keys were not replayed: table "keys" is not published/, 'with a warning');
is(stopped_tables($node), '', 'no table has stopped');
query($node, 'DROP TABLE keys');
replay();
is(query($node, q(SELECT count(*) FROM dbmazz.dead_letters)), 0, 'letters of a table that was dropped go');
is(query($node, q(SELECT dbmazz.replay_dead_letters('shop'))), 0, 'nothing to replay is no error');

query($node, q(INSERT INTO notes VALUES (9000, 'last', NULL, 1)));
same_rows($node, $target, 'notes');

# nobody can decode what comes after that, so it is the last, and the decoder stands still meanwhile
query($node, q(INSERT INTO notes VALUES (9001, repeat('x', 201), NULL, 1)));
arrived($node);
my $decoder = query($node, q(SELECT decoder_pid FROM dbmazz.stat_pipeline));
kill STOP => $decoder;
query($node, 'DROP PUBLICATION dbmazz_pub');
replay();
is(query($node, q(SELECT count(*) FROM dbmazz.dead_letters)), 1, 'without the publication the letter stays');
like(slurp_file($node->logfile), qr/dead letters of target table notes were not replayed: publication "dbmazz_pub" does not exist/, 'with a warning');
kill CONT => $decoder;
unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminating any other/, 'the server was not harmed');
$node->stop;
done_testing();
