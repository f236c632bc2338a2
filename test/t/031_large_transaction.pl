# One transaction of a million rows, with the memory of both workers watched.

use strict;
use warnings;

use Test::More;

use dbmazz::Stream;

my ($node, $target) = start_stream(
	sql => 'CREATE TABLE big (id int PRIMARY KEY, a int, note text)',
	tables => ['big'],
	conf => "dbmazz.buffer_size = 16MB\ndbmazz.pipeline_buffer_size = 16MB\n"
	  . "dbmazz.decoder_work_mem = 16MB\n");

query($node, q(INSERT INTO big VALUES (0, 0, 'first')));
arrived($node);
my @pids = map { $node->worker_pid($_) } qw(decoder shipper);
my @before = map { $node->private_kb($_) } @pids;

my $psql = $node->background_psql('postgres');
$psql->query_safe(q(INSERT INTO big SELECT i, i % 1000, 'row ' || i FROM generate_series(1, 1000000) i));
$psql->quit;

my @most = (0, 0);
$target->wait_until('the large transaction', sub {
	for (0 .. 1)
	{
		my $more = $node->private_kb($pids[$_]) - $before[$_];
		$most[$_] = $more if $more > $most[$_];
	}
	return $target->count('shop', 'big') == 1000001;
});
same_rows($node, $target, 'big');
is(join(' ', map { $node->worker_pid($_) } qw(decoder shipper)), "@pids",
	'the same processes all the time');
cmp_ok($most[0], '<', 16 * 1024 + 64 * 1024, "private memory of the decoder: $most[0] kB more");
cmp_ok($most[1], '<', 32 * 1024, "private memory of the shipper: $most[1] kB more");

$node->stop;
done_testing();
