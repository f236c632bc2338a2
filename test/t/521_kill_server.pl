# The postmaster gets SIGKILL at random moments under load: after the next start
# the pipeline goes on by itself, no row is lost.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $rounds = 10;
use_seed();
my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);
my $epoch = epoch_of($node);
my $grown = 0;

for my $round (1 .. $rounds)
{
	my $load = start_load($node);
	random_seconds(0.7);
	crash_postmaster($node);
	stop_load($load);
	$node->start;
	my @workers = wait_for_workers($node, $epoch);
	$grown++ if $workers[2] > $epoch;
	$epoch = $workers[2];
}
is($grown, $rounds, 'a new epoch after each start');
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
all_rows_equal($node, $target);
$node->stop;
done_testing();
