# A shutdown never waits for the target: frozen, slow, or at an address that takes
# no connection.

use strict;
use warnings;

use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);

sub stops_quickly
{
	my ($name) = @_;
	my $start = Time::HiRes::time();
	$node->stop('fast');
	my $seconds = Time::HiRes::time() - $start;
	cmp_ok($seconds, '<', 3, sprintf '%s: the server stops in %.1f s', $name, $seconds);
	return;
}

# The shipper has sockets open and waits.
sub wait_for_request
{
	$node->safe_psql('postgres', 'UPDATE accounts SET n = n + 1');
	return $node->poll_query_until('postgres',
		q(SELECT buffered_batches > 0 FROM dbmazz.stat_pipeline WHERE name = 'p'));
}

# It hangs with its sockets open.
$target->freeze;
wait_for_request();
stops_quickly('a frozen target');

# From the start on: nothing has ever been answered.
$node->start;
$node->poll_query_until('postgres',
	q(SELECT state = 'streaming' AND buffered_batches > 0 FROM dbmazz.stat_pipeline WHERE name = 'p'));
stops_quickly('a frozen target, after a start');
$target->thaw;
$node->start;
all_rows_equal($node, $target, 'after the thaw');

# The body goes out slowly, or the answer is long in coming.
for my $fault ({ fault => 'hold' }, { fault => 'slow_read', bytes_per_second => 100 },
	{ fault => 'be_no_continue', seconds => 20 }, { fault => 'fe_delay', seconds => 20 })
{
	$target->fault(%$fault, count => 1);
	my $last = $target->ask(GET => 'loads')->{last};
	wait_for_request();
	$target->wait_until('the fault', sub { !@{ $target->ask(GET => 'faults')->{faults} } });
	stops_quickly($fault->{fault});
	$target->clear_faults;
	$node->start;
	all_rows_equal($node, $target, "after $fault->{fault}");
}

# A listener whose queue is full takes no connection: the last ones hang.
my $hole = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
my $port = $hole->sockport;
my @fill;
for (1 .. 8)
{
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp', Timeout => 1)
	  or last;
	push @fill, $socket;
}
ok(@fill < 8, 'the black hole takes no more connections');
$node->safe_psql('postgres', "SELECT dbmazz.create_pipeline('h', slot => 'h', copy => false)");
$node->append_conf('postgresql.conf', "dbmazz.starrocks_url = 'http://127.0.0.1:$port'\n");
$node->reload;
$node->run_pipeline('postgres', 'h');
$node->safe_psql('postgres', 'UPDATE accounts SET n = n + 1');
$node->poll_query_until('postgres',
	q(SELECT buffered_batches > 0 FROM dbmazz.stat_pipeline WHERE name = 'h'));
stops_quickly('a black hole');
close $_ for @fill, $hole;

$node->append_conf('postgresql.conf', "dbmazz.starrocks_url = '" . $target->url . "'\n");
$node->start;
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
