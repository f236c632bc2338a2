# A backlog over many segments of WAL, some of them not filled: read ahead, and from an
# older place again where a transaction was open meanwhile.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

# segments of 1 MB
my ($node, $target) = start_stream(
	sql => 'CREATE TABLE events (id int PRIMARY KEY, part int, note text)',
	tables => ['events'],
	initdb => ['--wal-segsize=1'],
	conf => "max_wal_size = 64MB\n");

# A transaction for each part, of 1 to 800 kB of WAL; behind each third the segment ends early.
sub write_parts
{
	my (@parts) = @_;

	for my $part (@parts)
	{
		my $rows = 1 + $part * 787 % 3000;

		query($node, <<~"SQL");
			INSERT INTO events SELECT $part * 10000 + i, $part, repeat(md5(i::text), 4)
				FROM generate_series(1, $rows) i;
			SQL
		query($node, 'SELECT pg_switch_wal()') if $part % 3 == 0;
	}
	return;
}

for my $round (1 .. 3)
{
	my $first = $round * 100;
	my $begin = $node->safe_psql('postgres', 'SELECT pg_current_wal_lsn()');
	my $open = $node->background_psql('postgres');

	# what this transaction did lies before all that is confirmed meanwhile
	$open->query_safe("BEGIN; INSERT INTO events VALUES ($round, 0, 'open')");
	write_parts($first .. $first + 4);
	arrived($node);

	$node->safe_psql('postgres', q(SELECT dbmazz.stop_pipeline('shop')));
	write_parts($first + 5 .. $first + 40);
	$open->query_safe("UPDATE events SET note = 'late' WHERE part = $first; COMMIT");
	$open->quit;
	write_parts($first + 41 .. $first + 44);

	my $written = $node->safe_psql('postgres', <<~"SQL");
		SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '$begin') / 1048576
		SQL
	cmp_ok($written, '>', 15, "round $round: segments of WAL");
	$node->run_pipeline('postgres', 'shop');
	same_rows($node, $target, 'events');
}

$node->stop;
done_testing();
