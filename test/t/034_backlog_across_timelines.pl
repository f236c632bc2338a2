# A backlog over many segments of WAL of several timelines: a copy of the server was
# promoted, and again, and its pipeline goes on from before that.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Stream;

# segments of 1 MB; where there is an archive, the last one of an older timeline is not there
my ($node, $target) = start_stream(
	sql => 'CREATE TABLE events (id int PRIMARY KEY, part int, note text)',
	tables => ['events'],
	initdb => ['--wal-segsize=1'],
	conf => "max_wal_size = 64MB\narchive_mode = on\narchive_command = 'true'\n");
my $part = 0;

# Transactions of 1 to 800 kB of WAL, about so many megabytes; returns where they ended.
sub write_wal
{
	my ($megabytes) = @_;
	my $begin = query($node, 'SELECT pg_current_wal_insert_lsn()');
	do
	{
		my $rows = 1 + ++$part * 787 % 3000;
		query($node, <<~"SQL");
			INSERT INTO events SELECT $part * 10000 + i, $part, repeat(md5(i::text), 4) FROM generate_series(1, $rows) i;
			UPDATE events SET note = 'of part $part' WHERE id = ($part - 1) * 10000 + 1;
			SQL
	} until query($node, "SELECT pg_current_wal_insert_lsn() - '$begin' > $megabytes * 1048576") eq 't';
	return;
}

# As a standby that has all of it, and takes over. The server itself is as good as a copy.
sub promote
{
	my ($how) = @_;
	$node->stop($how);
	$node->set_standby_mode;
	$node->start;
	$node->promote;
	return;
}

sub timeline { return hex substr query($node, 'SELECT pg_walfile_name(pg_current_wal_lsn())'), 0, 8 }

write_wal(1);
same_rows($node, $target, 'events');
for my $round (1, 2)
{
	my $first = timeline();
	query($node, q(SELECT dbmazz.stop_pipeline('shop')));
	$node->wait_for_state('postgres', 'shop', 'stopped');

	# the first one ends within a segment, the second one in the first page of its last
	write_wal(4);
	promote('immediate');
	write_wal(4);
	promote('fast');
	write_wal(4);
	is(timeline(), $first + 2, "round $round: two timelines have ended");

	# nothing is decoded before somebody has said that this is right
	query($node, q(SELECT dbmazz.start_pipeline('shop')));
	$node->wait_for_state('postgres', 'shop', 'failed');
	query($node, q(SELECT dbmazz.stop_pipeline('shop')));
	$node->wait_for_state('postgres', 'shop', 'stopped');
	query($node, q(SELECT dbmazz.accept_identity('shop')));
	$node->run_pipeline('postgres', 'shop');
	same_rows($node, $target, 'events');
}

$node->stop;
unlike(slurp_file($node->logfile), qr/could not read WAL|has already been removed|TRAP/, 'all WAL was read at the first attempt');
done_testing();
