# A worker gets SIGKILL at random moments under load: the server goes through its
# crash recovery, the pipeline starts again by itself, no row is lost.

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
my $epoch = epoch_of($node);
my $crashes = 0;

for my $role (qw(decoder shipper))
{
	my $grown = 0;
	for my $round (1 .. $rounds)
	{
		my $load = start_load($node);
		random_seconds(0.7);
		my $pid = wait_until("the $role", sub { $node->worker_pid($role) });
		kill 'KILL', $pid;
		$crashes++;
		wait_until('the crash', sub {
			my $count = () = slurp_file($node->logfile, $log_start) =~ /all server processes terminated; reinit/g;
			return $count >= $crashes;
		});
		stop_load($load);
		# no query yet: psql that is turned away leaves its input unread
		wait_until('the end of recovery', sub {
			return system('pg_isready', '-q', '-h', $node->host, '-p', $node->port) == 0;
		});
		my @workers = wait_for_workers($node, $epoch);
		$grown++ if $workers[2] > $epoch;
		$epoch = $workers[2];
	}
	is($grown, $rounds, "$role: a new epoch after each crash");
}
all_rows_equal($node, $target);

my $log = slurp_file($node->logfile, $log_start);
my $count = () = $log =~ /terminating any other active server processes/g;
is($count, 2 * $rounds, 'each kill was a crash of the server');
unlike($log, qr/TRAP|PANIC/, 'no assertion failed');
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
