# The replicated tables are idle while another database fills the WAL: the slot
# moves on by itself, for one row per heartbeat_interval and no load at all.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time);

use dbmazz::Stream;

my $interval = 3;
my ($node, $target) = start_stream(
	sql => 'CREATE TABLE orders (id int PRIMARY KEY, note text)',
	tables => ['orders'],
	conf => "autovacuum = off\ndbmazz.heartbeat_interval = ${interval}s\n",
	settings => ['flush_interval=0']);
query($node, "INSERT INTO orders SELECT i, 'a' FROM generate_series(1, 1000) i");
same_rows($node, $target, 'orders');

$node->safe_psql('postgres', 'CREATE DATABASE busy');
$node->safe_psql('busy', 'CREATE TABLE t (id bigint, note text)');

sub slot { return query($node, 'SELECT confirmed_flush_lsn FROM dbmazz.stat_pipeline') }
sub rows_written { return query($node, 'SELECT ctid, xmin FROM dbmazz.checkpoints') }
sub shipped { return query($node, 'SELECT batches FROM dbmazz.stat_pipeline') }

# A segment and more of WAL, again and again, until the slot has moved three times.
my ($batches, $slot, $row) = (shipped(), slot(), rows_written());
my $start = time;
my ($moves, $writes) = (0, 0);
my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
while ($moves < 3 && time < $deadline)
{
	$node->safe_psql('busy',
		'INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 4000) i; TRUNCATE t');
	my ($now, $new) = (slot(), rows_written());
	$moves++ if $now ne $slot;
	$writes++ if $new ne $row;
	($slot, $row) = ($now, $new);
}
my $elapsed = time - $start;
is($moves, 3, sprintf 'the slot moves while only others write (%.1f s)', $elapsed);
cmp_ok($writes, '>=', 2, 'the position is written down');
cmp_ok($writes, '<=', 1 + $elapsed / $interval, 'but not more often than asked for');
is(shipped(), $batches, 'nothing was sent for that');
is(query($node, 'SELECT confirmed_flush_lsn <= checkpoint_lsn FROM dbmazz.stat_pipeline'), 't',
	'the slot is not ahead of what was written');

# The WAL is let go of: what the slot needs has moved as well.
my $needed = query($node, q(SELECT restart_lsn FROM pg_replication_slots));
query($node, 'CHECKPOINT');
$node->safe_psql('busy', 'INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 30000) i');
query($node, 'CHECKPOINT');
ok($node->poll_query_until('postgres', "SELECT restart_lsn > '$needed' FROM pg_replication_slots"),
	'WAL is let go of');

query($node, q(DELETE FROM orders WHERE id % 2 = 0; INSERT INTO orders VALUES (5000, 'late')));
same_rows($node, $target, 'orders');
$node->stop;
done_testing();
