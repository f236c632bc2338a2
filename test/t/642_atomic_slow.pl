# atomic = transaction: groups that the target does not load in time are made smaller.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Bank;
use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = bank_node($target, conf => large_groups());

sub query { return $node->safe_psql('postgres', $_[0]) }
sub txns { my ($state) = @_; return scalar grep { $_->{state} eq $state } @{ $target->ask(GET => 'txns?db=shop')->{txns} } }
sub times_late { return scalar(() = slurp_file($node->logfile) =~ /a transaction of several tables took longer than a load may/g) }

# While the first one is on its way the others become one group, which takes 5 s.
my $reader = start_reader($target);
$target->fault(fault => 'fe_hold', endpoint => 'begin', count => 1);
query(large_moves(1001, 1001));
wait_until('the first group', sub { @{ $target->ask(GET => 'held')->{requests} } });
query(large_moves(1002, 1070));
$target->fault(fault => 'slow_read', bytes_per_second => 110_000);
$target->release;
same_bank($node, $target, 'although it is slow');
cmp_ok(times_late(), '>', 0, 'the log says that groups are made smaller');
my ($looks, @broken) = stop_reader($reader);
is(scalar(@broken), 0, "a reader saw no half transaction in $looks looks") || diag($broken[0]);
is(txns('PREPARE'), 0, 'none is left open');

# A transaction that is too large by itself is tried again as it is, until the target is
# fast enough; nothing of it is seen before.
my $late = times_late();
my $epoch = epoch_of($node);
query(q(INSERT INTO bank_right VALUES (2000, 0)));
$node->wait_for_target('postgres', 'p');
my $aborted = txns('ABORTED');
query(q(BEGIN; INSERT INTO bank_left SELECT g, 1, repeat('x', 8000) FROM generate_series(2001, 2070) g;
	INSERT INTO bank_right SELECT g, -1 FROM generate_series(2001, 2070) g;
	INSERT INTO moves (amount) SELECT -1 FROM generate_series(2001, 2070) g; COMMIT));
wait_until('two attempts', sub { txns('ABORTED') >= $aborted + 2 });
is(epoch_of($node), $epoch, 'no other life is begun for a single transaction');
is(times_late(), $late, 'nor does the log say so');
$target->clear_faults;
same_bank($node, $target, 'when the target is fast again');

$node->stop;
unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
done_testing();
