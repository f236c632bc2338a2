# Rows that the target does not take: found by halves; the table stops there, or
# the rows are kept as dead letters and all others go on.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE notes (id int PRIMARY KEY, note text, n int);
		CREATE TABLE others (id int PRIMARY KEY);
		ALTER TABLE notes ALTER note SET STORAGE EXTERNAL;
		SQL
	tables => ['others'],
	publication => 'TABLE notes, others',
	settings => [ 'flush_interval=50ms', 'batch_max_rows=200000', 'batch_max_bytes=64MB' ],
	conf => "dbmazz.buffer_size = 256MB\ndbmazz.pipeline_buffer_size = 256MB\n");

# What the target takes: up to ten characters.
sub narrow
{
	$target->sql('DROP TABLE IF EXISTS notes', 'shop');
	$target->sql(<<~'SQL', 'shop');
		CREATE TABLE notes (id INT NOT NULL, note VARCHAR(10) NULL, n INT NULL)
		PRIMARY KEY (id) DISTRIBUTED BY HASH (id)
		SQL
	return;
}

# Rows that are in one of the two only, by their ids.
sub missing_ids
{
	my %have = map { /"id":(\d+)/ ? ($1 => 1) : () } @{ $target->rows('shop', 'notes') };
	my @ids = split /\n/, query($node, 'SELECT id FROM notes ORDER BY id');
	return join ' ', grep { !$have{$_} } @ids;
}

# Wait until a query says true.
sub wait_for_rows
{
	my ($server, $sql) = @_;
	$server->poll_query_until('postgres', $sql) or die "not true: $sql: " . query($server, 'TABLE dbmazz.stat_table');
	return;
}

sub set_on_bad_row
{
	my ($value) = @_;
	query($node, "SELECT dbmazz.alter_pipeline('shop', settings => '{on_bad_row=$value}')");
	return;
}

my $log2 = 17;	# of 100,000

# ---- stop: the very row is named --------------------------------------------------------

narrow();
query($node, <<~'SQL');
	INSERT INTO notes SELECT g, CASE WHEN g = 70001 THEN repeat('x', 11) ELSE 'n' || g END, g
	FROM generate_series(1, 100000) g
	SQL
my $why = wait_for_stop($node, 'notes');
like($why, qr/Row with key \(id\)=\(70001\): .*too long/, 'the row that is to blame is named');
like($why, qr/The transaction committed at/, 'with its commit');
my @loads = $target->loads(table => 'notes');
cmp_ok(scalar @loads, '<=', 2 * $log2, 'O(log n) loads: ' . @loads);
is(scalar(keys %{ { map { $_->{label} => 1 } @loads } }), scalar @loads, 'each has a label of its own');
query($node, 'INSERT INTO others VALUES (1)');
same_rows($node, $target, 'others');

# ---- a rejection that is not about rows is not split ----------------------------------------

$target->sql('DROP TABLE notes', 'shop');
$target->clear_loads;
restart_stream($node);
like(wait_for_stop($node, 'notes'), qr/notes/, 'a table that is not there stops');
cmp_ok(scalar $target->loads(table => 'notes'), '<=', 1, 'at the first load');

# ---- dead letters -------------------------------------------------------------------------------

narrow();
$target->clear_loads;
set_on_bad_row('dead_letter');
restart_stream($node);
arrived($node);
is(missing_ids(), '70001', 'all but the bad row are there');
@loads = $target->loads(table => 'notes');
cmp_ok(scalar @loads, '<=', 3 * $log2, 'O(log n) loads: ' . @loads);
is(query($node, q(SELECT op, key ->> 'id', "row" ->> 'note', "row" ->> 'n', "row" ? '__op',
	error ~ 'filtered', detail ~ 'too long' FROM dbmazz.dead_letters)),
	'INSERT|70001|xxxxxxxxxxx|70001|f|t|t', 'the letter has the row and the reason');
is(query($node, q(SELECT state, dead_letters FROM dbmazz.stat_table WHERE target = 'notes')),
	'streaming|1', 'the table goes on, and shows the letter');

# ---- later changes of the key follow ----------------------------------------------------------------

query($node, 'UPDATE notes SET n = 0 WHERE id = 70001');
arrived($node);
query($node, q(UPDATE notes SET note = 'good' WHERE id = 70001));
arrived($node);
query($node, 'UPDATE notes SET n = n + 1 WHERE id IN (70000, 70002)');
arrived($node);
is(missing_ids(), '70001', 'the key is not sent');
is(query($node, q(SELECT string_agg(op || ' ' || ("row" ->> 'n') || ' ' || (error IS NULL), ', ' ORDER BY id)
	FROM dbmazz.dead_letters)), 'INSERT 70001 false, UPDATE 0 true, UPDATE 0 true', 'its changes follow it');
query($node, 'UPDATE notes SET id = 200001 WHERE id = 70001');
arrived($node);
is(missing_ids(), '', 'the row is good under another key');
is($target->count('shop', 'notes'), 100000, 'and the dead key is not in the target');
is(query($node, q(SELECT op, key, "row" FROM dbmazz.dead_letters ORDER BY id DESC LIMIT 1)),
	'DELETE|{"id":70001}|', 'the delete follows the key');

# ---- nothing is entered twice ------------------------------------------------------------------------

query($node, q(INSERT INTO notes VALUES (300001, repeat('y', 12), 1), (300002, 'fine', 1)));
arrived($node);
my $letters = query($node, q(SELECT count(*), max(id) FROM dbmazz.dead_letters));
restart_stream($node);
query($node, 'INSERT INTO notes VALUES (300003, NULL, 1)');
arrived($node);
is(query($node, q(SELECT count(*), max(id) FROM dbmazz.dead_letters)), $letters, 'no letter is new after a restart');
query($node, 'UPDATE notes SET n = 2 WHERE id = 300001');
arrived($node);
is(query($node, q(SELECT count(*) FROM dbmazz.dead_letters WHERE key ->> 'id' = '300001')), 2,
	'dead keys are known after a restart');

# ---- TRUNCATE makes letters obsolete --------------------------------------------------------------------

SKIP:
{
	query($node, q(INSERT INTO notes VALUES (400001, repeat('z', 13), 1)));
	arrived($node);
	query($node, sprintf q(SELECT dbmazz.alter_pipeline('shop', settings => '{starrocks_mysql_address=127.0.0.1:%d}')),
		$target->mysql_port);
	restart_stream($node);
	query($node, q(BEGIN; TRUNCATE notes; INSERT INTO notes VALUES (1, 'a', 1), (2, repeat('b', 20), 2); COMMIT));
	query($node, q(INSERT INTO notes VALUES (70001, 'c', 1)));
	arrived($node);
	is(missing_ids(), '2', 'a key that was dead before is not so any more');
	is(query($node, q(SELECT string_agg(key ->> 'id', ' ') FROM dbmazz.dead_letters)), '2', 'what came before is gone');
}

# ---- all rows bad, and the bound ---------------------------------------------------------------------------

query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{max_dead_letters=500}')));
$target->clear_loads;
query($node, q(INSERT INTO notes SELECT g, repeat('w', 50), g FROM generate_series(1001, 1400) g));
arrived($node);
is($target->count('shop', 'notes'), 2, 'none of them is there');
is(query($node, 'SELECT count(*) FROM dbmazz.dead_letters'), 401, 'all are letters');
@loads = $target->loads(table => 'notes');
cmp_ok(scalar @loads, '<=', 400 + 2 * $log2, 'about one load for each: ' . @loads);
query($node, q(INSERT INTO notes SELECT g, repeat('w', 50), g FROM generate_series(2001, 2400) g));
like(wait_for_stop($node, 'notes'), qr/there are 500 dead letters.*replay_dead_letters/s, 'a table stops at max_dead_letters');
is(query($node, 'SELECT count(*) FROM dbmazz.dead_letters'), 500, 'and no letter is more');

# ---- retry and skip -----------------------------------------------------------------------------------------

query($node, q(SELECT dbmazz.alter_pipeline('shop', settings => '{max_dead_letters=1000}')));
query($node, q(SELECT dbmazz.retry_batch('shop', 'notes')));
wait_for_rows($node, "SELECT dead_letters = 801 AND state = 'streaming' FROM dbmazz.stat_table WHERE target = 'notes'");
arrived($node);
is(query($node, 'SELECT count(*) FROM dbmazz.dead_letters'), 801, 'retry_batch() lets the table go on');
set_on_bad_row('stop');
query($node, q(INSERT INTO notes VALUES (3001, 'one', 1), (3002, repeat('v', 30), 1), (3003, repeat('v', 31), 1), (3004, 'four', 1)));
like(wait_for_stop($node, 'notes'), qr/\(id\)=\(3002\)/, 'the first bad row');
query($node, 'CREATE ROLE watcher IN ROLE pg_monitor');
is($node->safe_psql('postgres', q(SET ROLE watcher; SELECT state, error ~ 'filtered', row_lsn IS NOT NULL, detail
	FROM dbmazz.stat_table WHERE target = 'notes')), 'stopped|t|t|', 'whoever monitors sees that it was a row, not the row');
unlike($node->safe_psql('postgres', 'SET ROLE watcher; TABLE dbmazz.stat_table; TABLE dbmazz.stat_pipeline'), qr/\(3002\)|vvvv/,
	'its key and values are in no other place');
is(query($node, q(SELECT last_error ~ 'filtered', last_error_detail FROM dbmazz.stat_pipeline)),
	't|dbmazz.stat_table shows the row to the owner of the pipeline.', 'the last error tells where they are');
my ($stdout, $stderr) = ('', '');
isnt($node->psql('postgres', q(SELECT dbmazz.skip_batch('shop', 'notes')), stderr => \$stderr), 0, 'skipping must be confirmed');
like($stderr, qr/must be confirmed.*\(id\)=\(3002\).*confirm => '([0-9A-F]+\/[0-9A-F]+)'/s, 'the error tells what it would skip');
isnt($node->psql('postgres', q(SELECT dbmazz.skip_batch('shop', 'notes', '0/0')), stderr => \$stderr), 0, 'not by any text');
for my $id (3002, 3003)
{
	like(wait_for_stop($node, 'notes'), qr/\(id\)=\($id\)/, "the table stops at row $id");
	query($node, q(SELECT dbmazz.skip_batch('shop', 'notes', (SELECT row_lsn::text FROM dbmazz.stat_table WHERE target = 'notes'))));
	wait_for_rows($node, "SELECT detail IS NULL OR detail !~ '$id' FROM dbmazz.stat_table WHERE target = 'notes'");
}
arrived($node);
is(stopped_tables($node), '', 'the table goes on behind them');
is(scalar(grep { /"id":300[14]\b/ } @{ $target->rows('shop', 'notes') }), 2, 'the rows around them are there');
is(scalar(grep { /"id":300[23]\b/ } @{ $target->rows('shop', 'notes') }), 0, 'they are not');
is(query($node, q(SELECT string_agg(detail ~ '3002|3003' || ' ' || skipped_by, ', ') FROM dbmazz.skipped_rows)),
	'true postgres, true postgres', 'who skipped what is kept');
like(slurp_file($node->logfile), qr/a row of target table "notes" is skipped\n.*\(id\)=\(3002\)/, 'and in the log');
isnt($node->psql('postgres', q(SELECT dbmazz.retry_batch('shop', 'notes')), stderr => \$stderr), 0, 'nothing to retry');
like($stderr, qr/target table "notes" of pipeline "shop" is not one that has stopped/, 'says why');

# ---- who may see them -----------------------------------------------------------------------------------------

query($node, 'CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA dbmazz TO reader; GRANT pg_monitor TO reader;
	GRANT SELECT ON dbmazz.dead_letters TO reader');
is($node->safe_psql('postgres', 'SET ROLE reader; SELECT count(*) FROM dbmazz.dead_letters'), 0,
	'others see none');
is(scalar $node->psql('postgres', 'SET ROLE reader; SELECT count(*) FROM dbmazz.dead_letter'), 3,
	'nor the table');
query($node, q(CREATE ROLE boss; GRANT boss TO reader; UPDATE dbmazz.pipeline SET owner = 'boss'));
is($node->safe_psql('postgres', 'SET ROLE reader; SELECT count(*) FROM dbmazz.dead_letters'), 801,
	'those who may act for the owner see all');

unlike(slurp_file($node->logfile), qr/TRAP|PANIC|terminating any other/, 'the server was not harmed');
$node->stop;
done_testing();
