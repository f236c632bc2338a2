# A backend that hangs and comes back: it finds the request of a life that is long
# over in its socket, and must not be able to load the old rows over newer ones.
# So no row may leave before the backend has asked for rows, for by then the
# transaction has begun, and the next life finds and cancels it.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target, conf => "dbmazz.starrocks_expect_timeout = 300ms\n");
$node->safe_psql('postgres', "DELETE FROM accounts; INSERT INTO accounts VALUES (1, 0, 'first')");
$node->wait_for_target('postgres', 'p');

# The hanging backend: the system takes connections for it, it does not.
my $hanging = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "listen: $!";
$target->fault(fault => 'fe_location', count => 1, table => '^accounts$',
	location => 'http://127.0.0.1:' . $hanging->sockport . '/api/shop/accounts/_stream_load');
$node->safe_psql('postgres', "UPDATE accounts SET note = 'old'");
my $old = wait_until('the request', sub {
	return IO::Select->new($hanging)->can_read(0.1) && $hanging->accept;
});

# The life ends when it has waited for longer than it should.
pause(0.6);
my $epoch = epoch_of($node);
my ($decoder, $shipper) = workers_of($node);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($shipper, 5000)");
wait_for_workers($node, $epoch);
$node->safe_psql('postgres', "UPDATE accounts SET note = 'new'");
all_rows_equal($node, $target, 'while the backend hangs');

# It comes back and reads what is there.
my $request = '';
while (IO::Select->new($old)->can_read(2))
{
	sysread($old, $request, 65536, length $request) or last;
}
like($request, qr/^PUT .*^label: /ms, 'it finds the old request');
my $backend = IO::Socket::INET->new(
	PeerAddr => '127.0.0.1', PeerPort => $target->be_port, Proto => 'tcp') or die "connect: $!";
syswrite $backend, $request;
shutdown $backend, 1;
my $answer = '';
while (IO::Select->new($backend)->can_read(5))
{
	sysread($backend, $answer, 65536, length $answer) or last;
}
note($answer);
unlike($answer, qr/"Success"/, 'it loads nothing');
unlike($request, qr/"note"|old/, 'no row was in it');
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
