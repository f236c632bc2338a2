# Rows with values that the target cannot hold are dead letters as those that it
# refuses: found while decoding, or when a row is read again.  They come with the
# source's text, later changes of their keys follow, and they are replayed when the
# value is good or another policy lets it pass.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE days (id int PRIMARY KEY, day date, note text, body text, n int);
		ALTER TABLE days ALTER body SET STORAGE EXTERNAL;
		CREATE TABLE keys (day date PRIMARY KEY, n int);
		SQL
	tables => ['days', 'keys'],
	conf => "restart_after_crash = off\ndbmazz.debug_point = ''\n",
	settings => ['flush_interval=0', 'on_bad_row=dead_letter', 'starrocks_format=csv']);

sub letters
{
	my ($what, $where) = @_;
	return query($node, "SELECT coalesce(string_agg($what, ' ' ORDER BY id), '') FROM dbmazz.dead_letters WHERE $where");
}

sub replay
{
	query($node, q(SELECT dbmazz.replay_dead_letters('shop')));
	return $node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM dbmazz.replay_request');
}

sub alter { query($node, "SELECT dbmazz.alter_pipeline('shop', settings => '{$_[0]}')"); return }
sub target_days { return join ' ', sort map { /"id":(\d+)/ ? $1 : () } @{ $target->rows('shop', 'days') } }

my $bad = q('0044-03-15 BC');

# ---- found while decoding --------------------------------------------------------------------

query($node, qq(INSERT INTO days SELECT g, CASE WHEN g IN (3, 6) THEN $bad ELSE date '2024-01-01' END,
	repeat('long ', 100), repeat('b', 3000), g FROM generate_series(1, 8) g));
query($node, 'UPDATE days SET n = n + 100 WHERE id < 5');
arrived($node);
is(stopped_tables($node), '', 'no table has stopped');
is(target_days(), '1 2 4 5 7 8', 'the other rows have arrived');
is(letters(q(op || (key ->> 'id')), "target = 'days'"), 'INSERT3 INSERT6 UPDATE3', 'the rows and what followed are letters');
is(letters(q((row ->> 'day') || length(row ->> 'note') || length(row ->> 'body')), "op = 'INSERT'"),
	'0044-03-15 BC5003000 0044-03-15 BC5003000', 'with all values, as the source has them');
like(letters('error', 'error IS NOT NULL'), qr/cannot send column "day" of table "public.days": /, 'the column is named');
like(letters('detail', 'error IS NOT NULL'), qr/Key \(id\)=\(3\), value "0044-03-15 BC"/, 'so is the value');
query($node, "DELETE FROM days WHERE id = 6; UPDATE days SET day = $bad WHERE id = 7; UPDATE days SET n = 0 WHERE id = 7");
arrived($node);
is(letters(q(op || (key ->> 'id')), "target = 'days' AND key ->> 'id' <> '3'"), 'INSERT6 DELETE6 UPDATE7 UPDATE7',
	'a delete follows, and an update without the large value is one');

# ---- keys -------------------------------------------------------------------------------------

query($node, "INSERT INTO keys VALUES ($bad, 1), ('2024-01-01', 1)");
query($node, "UPDATE keys SET n = 2");
query($node, "DELETE FROM keys WHERE day = $bad");
arrived($node);
is(letters('op', "target = 'keys' AND key ->> 'day' = $bad"), 'INSERT UPDATE DELETE', 'keys that do not fit');
same_rows($node, $target, 'keys');

# ---- found when a row is read again -----------------------------------------------------------

query($node, <<~"SQL");
	BEGIN;
	UPDATE days SET id = id + 100 WHERE id IN (1, 2, 4);
	UPDATE days SET day = $bad WHERE id = 102;
	COMMIT
	SQL
arrived($node);
is(stopped_tables($node), '', 'no table has stopped');
is(target_days(), '101 104 5 7 8', 'the rows with other keys have arrived');
is(letters(q(coalesce(length(row ->> 'body'), 0) || op), "key ->> 'id' = '102'"), '3000UPDATE 0UPDATE', 'the one that was read is a letter');

# ---- a crash between letter and position --------------------------------------------------------

crash_at($node, 'unfit_kept', sub {
	arrived($node);
	$node->psql('postgres', "BEGIN; INSERT INTO days VALUES (200, $bad, '', '', 1); UPDATE days SET n = 2 WHERE id = 200; COMMIT");
});
$node->start;
$node->wait_for_state('postgres', 'shop', 'streaming');
arrived($node);
is(letters('op', "key ->> 'id' = '200'"), 'INSERT UPDATE', 'after a crash each is there once');

# ---- replays ------------------------------------------------------------------------------------

query($node, q(UPDATE days SET day = '2024-02-02' WHERE id = 3));
arrived($node);
replay();
is(query($node, q(SELECT string_agg(DISTINCT key ->> 'id', ' ') FROM dbmazz.dead_letters WHERE target = 'days')), '102 200 7',
	'those that are good by now, or gone, are replayed');
is(target_days(), '101 104 3 5 7 8', 'and at the target');
alter('flush_interval=0,on_bad_row=dead_letter,unrepresentable=null');
restart_stream($node);
replay();
is(query($node, q(SELECT count(*) FROM dbmazz.dead_letters WHERE target = 'days')), 0, 'under another policy all are replayed');
query($node, q(UPDATE days SET day = NULL WHERE day < '0001-01-01'));
same_rows($node, $target, 'days');
alter('flush_interval=0,on_bad_row=dead_letter,unrepresentable=error,max_dead_letters=4');
restart_stream($node);

# ---- as other bad rows: a limit, and the table stops where it is told to ---------------------------

query($node, "INSERT INTO days VALUES (300, $bad), (301, '2024-01-01'), (302, $bad)");
like(wait_for_stop($node, 'days'), qr/max_dead_letters/, 'too many letters stop the table');
alter('max_dead_letters=100');
query($node, q(SELECT dbmazz.retry_batch('shop', 'days')));
arrived($node);
is(letters(q(key ->> 'id'), "target = 'days'"), '300 302', 'and it goes on');
alter('on_bad_row=stop');
query($node, "INSERT INTO days VALUES (400, $bad)");
like(wait_for_stop($node, 'days'), qr/cannot send column "day"/, 'where told to, the table stops');
alter('on_bad_row=dead_letter');
query($node, q(SELECT dbmazz.retry_batch('shop', 'days')));
arrived($node);
is(letters(q(key ->> 'id'), "target = 'days'"), '300 302 400', 'and the row is a letter after all');

# ---- letters of a change log -----------------------------------------------------------------------

query($node, q(INSERT INTO dbmazz.dead_letter (pipeline, target, relation, source, lsn, sequence, op)
	SELECT id, 'log', 'days'::regclass, 'public.days', '0/1', 1, 'INSERT' FROM dbmazz.pipeline));
my (undef, undef, $err) = $node->psql('postgres', q(SELECT dbmazz.replay_dead_letters('shop', 'log')));
like($err, qr/ERROR:  1 dead letter of a change log cannot be replayed.*HINT:  Insert the rows/s, 'they are refused, with a hint');
(undef, undef, $err) = $node->psql('postgres', q(SELECT dbmazz.replay_dead_letters('shop')));
like($err, qr/WARNING:  1 dead letter of a change log cannot be replayed/, 'or told of, among others');
is(query($node, q(SELECT count(*) FROM dbmazz.replay_request WHERE target = 'log')), 0, 'and not asked for');
query($node, q(DELETE FROM dbmazz.dead_letter WHERE target = 'log'));

# ---- letters of another WAL ---------------------------------------------------------------------

# as where it begins lower than it was
query($node, q(UPDATE dbmazz.dead_letter SET lsn = 'FFFF/0' WHERE key ->> 'id' = '300'));
query($node, q(SELECT dbmazz.stop_pipeline('shop')));
$node->wait_for_state('postgres', 'shop', 'stopped');
$node->psql('postgres', q(SELECT dbmazz.repair_pipeline('shop', reload => false)));
$node->run_pipeline('postgres', 'shop');
query($node, q(UPDATE days SET day = '2024-03-03' WHERE id = 300));
arrived($node);
is(letters(q(op || old_wal), "key ->> 'id' = '300'"), 'INSERTtrue UPDATEfalse', 'after a repair a dead key is dead still');
unlike(target_days(), qr/300/, 'and nothing of it is sent');
replay();
like(target_days(), qr/300/, 'until it is replayed');

# ---- bytes that are no characters --------------------------------------------------------------

$node->safe_psql('postgres', q(CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'));
$node->safe_psql('bytes', <<~'SQL');
	CREATE EXTENSION dbmazz;
	CREATE TABLE bytes (k text PRIMARY KEY, t text);
	CREATE PUBLICATION dbmazz_pub FOR TABLE bytes;
	SELECT dbmazz.create_pipeline('bytes', slot => 'bytes', copy => false, settings => '{on_bad_row=dead_letter,flush_interval=0}');
	SQL
$node->create_target('bytes', 'public.bytes', $target, 'shop');
$node->run_pipeline('bytes', 'bytes');
$node->safe_psql('bytes', q(INSERT INTO bytes VALUES ('a', 'fine'), ('b', E'x\\xe9y'), (E'c\\xe9', 'key')));
$node->safe_psql('bytes', q(UPDATE bytes SET t = 'z'));
$node->wait_for_target('bytes', 'bytes');
is($target->count('shop', 'bytes'), 1, 'the row that is text has arrived');
is($node->safe_psql('bytes', q(SELECT string_agg(op || ' ' || (row ->> 'k') || ' ' || (row ->> 't'), ', ' ORDER BY id) FROM dbmazz.dead_letters)),
	'INSERT b x\\xe9y, INSERT c\\xe9 key, UPDATE b z, UPDATE c\\xe9 z', 'the others are letters, with their bytes escaped');
$node->safe_psql('bytes', q(SELECT dbmazz.replay_dead_letters('bytes')));
$node->poll_query_until('bytes', 'SELECT count(*) = 0 FROM dbmazz.replay_request') or die 'no replay';
is($node->safe_psql('bytes', q(SELECT string_agg(op || ' ' || (key ->> 'k'), ', ' ORDER BY id) FROM dbmazz.dead_letters)),
	'INSERT c\\xe9, UPDATE c\\xe9', 'a replay does not take the key that cannot be sent for one that is gone');
is(join(' ', sort map { /"k":"([^"]*)"/ } @{ $target->rows('shop', 'bytes') }), 'a b', 'and sends the row that is text by now');

unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
$node->stop;
done_testing();
