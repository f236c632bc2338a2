# FOR ALL TABLES without a feedback loop: an idle pipeline writes nothing and
# needs no CPU; its slot follows what others write.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(sleep time);

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => 'CREATE TABLE orders (id int PRIMARY KEY, note text)',
	tables => ['orders'],
	publication => 'ALL TABLES',
	conf => "autovacuum = off\ndbmazz.heartbeat_interval = 1s\n",
	settings => ['flush_interval=0']);

query($node, "INSERT INTO orders SELECT i, 'a' FROM generate_series(1, 1000) i");
query($node, "UPDATE orders SET note = 'b' WHERE id % 3 = $_") for 0 .. 2;
same_rows($node, $target, 'orders');

my %tables = map { $_->{table} => 1 } $target->loads;
is(join(' ', sort keys %tables), 'orders', 'no other table was sent, least of all our own');
is(stopped_tables($node), '', 'and none has stopped');

# ---- idle ---------------------------------------------------------------------------

sub wal { return query($node, 'SELECT pg_current_wal_insert_lsn()') }

sub cpu_ticks
{
	my ($pid) = @_;
	my $stat = PostgreSQL::Test::Utils::slurp_file("/proc/$pid/stat");
	my @fields = split / /, $stat =~ s/^.*\) //sr;
	return $fields[11] + $fields[12];
}

# The server itself may write a record of running transactions now and then, so
# look for a while without any; with a loop there would never be one.
my @workers = map { $node->worker_pid($_) } qw(launcher decoder shipper);
my $quiet = 4;
my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
my ($lsn, $since, %ticks);
my $settled = 0;
until ($settled || time > $deadline)
{
	my $now = wal();
	if (!defined $lsn || $now ne $lsn)
	{
		($lsn, $since) = ($now, time);
		%ticks = map { $_ => cpu_ticks($_) } @workers;
	}
	$settled = time - $since > $quiet;
	sleep 0.25;
}
ok($settled, "no WAL was written for $quiet s");
cmp_ok(cpu_ticks($_) - $ticks{$_}, '<=', 5, 'next to no CPU was used') for @workers;

is(query($node, q(SELECT lag = $$0 s$$ FROM dbmazz.stat_pipeline)), 't', 'there is no lag');

# ---- others write ---------------------------------------------------------------------

# More than a segment of WAL in another database: the slot must follow it.
my $before = query($node, 'SELECT confirmed_flush_lsn FROM dbmazz.stat_pipeline');
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$node->safe_psql('elsewhere',
	q(CREATE TABLE t AS SELECT repeat(md5(i::text), 20) FROM generate_series(1, 40000) i));
my $written = query($node, "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '$before') > 18 * 1024 * 1024");
is($written, 't', 'another database has written more than a segment');
ok($node->poll_query_until('postgres',
		"SELECT confirmed_flush_lsn - '$before' > 16 * 1024 * 1024 FROM dbmazz.stat_pipeline"),
	'the slot follows');
my $rows = query($node, 'SELECT batches FROM dbmazz.stat_pipeline');

# And changes still arrive.
query($node, q(DELETE FROM orders WHERE id % 2 = 0; INSERT INTO orders VALUES (5000, 'late')));
same_rows($node, $target, 'orders');
cmp_ok(query($node, 'SELECT batches FROM dbmazz.stat_pipeline'), '>', $rows, 'as loads that are counted');

$node->stop;
done_testing();
