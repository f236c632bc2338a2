# TRUNCATE empties the target between the loads around it, whatever breaks when.
# The target is the file sink, whose lines show the order.

use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Node;

my @tables = qw(orders items parents children parts part_low part_high);
my $node = dbmazz::Node->start_new('main', conf => settle_settings() . "restart_after_crash = off\n");
my $files = $node->data_dir . '/dbmazz_file';

sub query { return $node->safe_psql('postgres', $_[0]) }

query(<<~'SQL');
	CREATE TABLE orders (id int PRIMARY KEY, note text);
	CREATE TABLE items (id serial PRIMARY KEY, note text);
	CREATE TABLE parents (id int PRIMARY KEY, note text);
	CREATE TABLE children (id int PRIMARY KEY, note text, parent int REFERENCES parents);
	CREATE TABLE parts (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
	CREATE TABLE part_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE TABLE part_high PARTITION OF parts FOR VALUES FROM (100) TO (200);
	CREATE PUBLICATION dbmazz_pub FOR TABLE orders, items, parents, children, parts;
	SELECT dbmazz.create_pipeline('p', sink => 'file', copy => false, settings => '{flush_interval=0}');
	SQL
$node->run_pipeline('postgres', 'p');

# ---- what is in the files ------------------------------------------------------

sub lines
{
	my ($table) = @_;
	return () unless -e "$files/$table.ndjson";
	return map { decode_json($_) } split /\n/, slurp_file("$files/$table.ndjson");
}

# The rows that are left when all lines are applied.
sub rows_of
{
	my ($table) = @_;
	my %rows;
	for my $line (lines($table))
	{
		if (exists $line->{truncate})
		{
			die "$line->{truncate} in the file of $table" if $line->{truncate} ne $table;
			%rows = ();
		}
		elsif ($line->{__op}) { delete $rows{ $line->{id} } }
		else { $rows{ $line->{id} } = $line->{note} }
	}
	return join "\n", map { "$_|$rows{$_}" } sort { $a <=> $b } keys %rows;
}

sub same_rows
{
	my ($when, @names) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$node->wait_for_target('postgres', 'p');
	is(rows_of($_), query("SELECT id, note FROM $_ ORDER BY id"), "$_: source = target $when")
	  for @names;
	return;
}

sub fill
{
	query(<<~'SQL');
		INSERT INTO orders SELECT i, 'old' FROM generate_series(1, 50) i ON CONFLICT DO NOTHING;
		INSERT INTO items (note) SELECT 'old' FROM generate_series(1, 50) i;
		INSERT INTO parents SELECT i, 'old' FROM generate_series(1, 5) i ON CONFLICT DO NOTHING;
		INSERT INTO children SELECT i, 'old', i FROM generate_series(1, 5) i ON CONFLICT DO NOTHING;
		INSERT INTO parts SELECT i, 'old' FROM generate_series(50, 149) i ON CONFLICT DO NOTHING;
		SQL
	return;
}

# One transaction with all there is: rows before, between and after.
my $mixture = <<~'SQL';
	BEGIN;
	UPDATE orders SET note = 'before' WHERE id = 1;
	UPDATE items SET note = 'same transaction' WHERE id <= 3;
	TRUNCATE orders;
	INSERT INTO orders SELECT i, 'between' FROM generate_series(1, 10) i;
	TRUNCATE orders, items RESTART IDENTITY;
	INSERT INTO items (note) SELECT 'after' FROM generate_series(1, 5) i;
	INSERT INTO orders VALUES (1, 'after'), (100, 'after');
	TRUNCATE parents CASCADE;
	INSERT INTO parents VALUES (1, 'after');
	SAVEPOINT s;
	TRUNCATE parts;
	ROLLBACK TO s;
	COMMIT;
	SQL

# ---- in order -------------------------------------------------------------------

fill();
same_rows('to begin with', qw(orders items parents children part_low part_high));
query($mixture);
same_rows('after all in one transaction', qw(orders items parents children part_low part_high));
is(scalar(grep { exists $_->{truncate} } lines('orders')), 2, 'both are in the file');

# rows wait in open batches of several kinds when it comes
query(q(SELECT dbmazz.alter_pipeline('p', settings => '{flush_interval=1h}')));
fill();
query($mixture);
query(q(SELECT dbmazz.alter_pipeline('p', settings => '{flush_interval=0}')));
same_rows('with rows that waited', qw(orders items parents children part_low part_high));

# a partition, the whole, and one that goes on
fill();
query(q(TRUNCATE part_low; INSERT INTO parts VALUES (7, 'new'), (170, 'new')));
same_rows('after a TRUNCATE of a partition', qw(part_low part_high));
query(q(TRUNCATE parts; INSERT INTO parts VALUES (8, 'new'), (108, 'new')));
same_rows('after a TRUNCATE of all partitions', qw(part_low part_high));
ok(!-e "$files/parts.ndjson", 'the partitioned table itself is no target');

# ---- partitions published as one table --------------------------------------------

query(q(SELECT dbmazz.stop_pipeline('p')));
$node->wait_for_state('postgres', 'p', 'stopped');
query(q(TRUNCATE parts; ALTER PUBLICATION dbmazz_pub SET (publish_via_partition_root = true)));
$node->run_pipeline('postgres', 'p');
fill();
same_rows('published as one', 'parts');
query(q(TRUNCATE parts; INSERT INTO parts VALUES (9, 'new'), (109, 'new')));
same_rows('after a TRUNCATE of the whole', 'parts');

# ---- crashes around it ---------------------------------------------------------------

for my $gap (
	[ batch_sealed => 'something is sealed, perhaps it' ],
	[ truncate_started => 'the request is on its way' ],
	[ truncated => 'it is done, the checkpoint does not say so' ],
	[ checkpoint_committed => 'the checkpoint says so, the slot does not' ])
{
	my ($point, $what) = @$gap;
	fill();
	same_rows("before a crash at $point", qw(orders items parents children parts));
	my $before = grep { exists $_->{truncate} } lines('orders');
	crash_at($node, $point, sub { $node->psql('postgres', $mixture) });
	$node->start;
	$node->wait_for_state('postgres', 'p', 'streaming');
	same_rows("after a crash at $point: $what", qw(orders items parents children parts));
	my $now = grep { exists $_->{truncate} } lines('orders');
	cmp_ok($now, '>=', $before + 2, 'it was sent') ;
}
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');

# Only the table whose target cannot be emptied waits.
query(q(SELECT dbmazz.alter_pipeline('p', settings => '{truncate_mode=stop}')));
query(q(SELECT dbmazz.stop_pipeline('p')));
$node->wait_for_state('postgres', 'p', 'stopped');
$node->run_pipeline('postgres', 'p');
query(q(TRUNCATE orders; INSERT INTO orders VALUES (5, 'waits'); INSERT INTO parts VALUES (10, 'goes on')));
same_rows('while another one has stopped', 'parts');
is(query(q(SELECT string_agg(target, ' ') FROM dbmazz.stat_table WHERE state = 'stopped')), 'orders',
	'the other one has stopped');
query(q(SELECT dbmazz.stop_pipeline('p')));
$node->wait_for_state('postgres', 'p', 'stopped');
query(q(SELECT dbmazz.alter_pipeline('p', settings => '{truncate_mode=apply}')));
$node->run_pipeline('postgres', 'p');
same_rows('at the end', qw(orders items parents children parts));

$node->stop;
done_testing();
