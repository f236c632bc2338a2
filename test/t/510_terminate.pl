# Termination of decoder, shipper and launcher at random moments under load: the
# others go on in a new epoch, the server does not notice, no row is lost.

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
my $log_start = -s $node->logfile;
my $load = start_load($node, rate => 25);
my $epoch = epoch_of($node);

for my $role (qw(decoder shipper launcher))
{
	my ($ended, $grown, $slowest) = (0, 0, 0);
	for my $round (1 .. $rounds)
	{
		random_seconds(0.3);
		my $pid = wait_until("the $role", sub { $node->worker_pid($role) });
		my $start = time;
		$ended++
		  if $node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)") eq 't';
		my @workers = wait_for_workers($node, $epoch);
		$grown++ if $workers[2] > $epoch;
		$epoch = $workers[2];
		$slowest = time - $start if time - $start > $slowest;
	}
	is($ended, $rounds, "$role: ended each time");
	is($grown, $rounds, "$role: a new epoch each time");
	cmp_ok($slowest, '<=', 10, "$role: streams again within seconds");
}

stop_load($load);
all_rows_equal($node, $target);

my $log = slurp_file($node->logfile, $log_start);
unlike($log, qr/terminating any other active server processes/, 'the server did not re-initialise');
unlike($log, qr/TRAP|PANIC/, 'no assertion failed');
$node->stop;
done_testing();
