# A table has stopped, and somebody has called retry_batch() for it, or skip_batch(), in
# a transaction that stays open: he has its row in the catalogs.  The other tables'
# loads must not wait for him, although labels are written down for many tables at once.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => <<~'SQL',
		CREATE TABLE days (id int PRIMARY KEY, day date);
		CREATE TABLE fresh (id int PRIMARY KEY, day date);
		CREATE TABLE beside_days (id int PRIMARY KEY, n int);
		CREATE TABLE beside_fresh (id int PRIMARY KEY, n int);
		SQL
	tables => [ 'days', 'fresh', 'beside_days', 'beside_fresh' ],
	conf => "dbmazz.max_connections = 1\n",
	settings => [ 'flush_interval=0', 'batch_max_rows=1', 'on_bad_row=stop' ]);
# one that was loaded, with half of its labels used up, and one that never was
for my $i (1 .. 5) { query($node, "INSERT INTO days VALUES ($i, '2024-01-01')"); arrived($node); }
for my $table ('days', 'fresh')
{
	# eight labels are covered at first: the next load but one needs others
	my $other = "beside_$table";
	for my $i (1 .. 7) { query($node, "INSERT INTO $other VALUES ($i, $i)"); arrived($node); }
	$target->fault(fault => 'hold', count => 1, table => "^$other\$");
	query($node, "INSERT INTO $other VALUES (8, 8)");
	$target->wait_until('the load is held', sub { $target->held });

	query($node, "INSERT INTO $table VALUES (9, '0044-03-15 BC')");
	ok($node->poll_query_until('postgres',
		"SELECT count(*) = 1 FROM dbmazz.stat_table WHERE relation = 'public.$table' AND state = 'stopped'"),
		"$table stops");
	query($node, "INSERT INTO $other VALUES (9, 9)");
	my $session = $node->background_psql('postgres');
	$session->query_safe('BEGIN');
	$session->query_safe("SELECT dbmazz.retry_batch('shop', '$table')");
	$target->release;
	is(query($node, q(SELECT dbmazz.wait_for('shop', pg_current_wal_lsn(), '30 s'))), 't', 'the others go on');
	$session->query_safe('ROLLBACK');
	$session->quit;
	same_rows($node, $target, $other);
}

$node->stop;
done_testing();
