# SIGKILL in each gap between two durable steps, under load: the server is down;
# after its next start the pipeline goes on by itself and no row is lost.

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my @gaps = (
	[ batch_sealed => 'a batch is sealed, nothing is sent' ],
	[ label_covered => 'the labels to come are in the catalogs, nothing is sent' ],
	[ request_started => 'a load is on its way' ],
	[ answer_received => 'a load is in the target, the shipper just heard of it' ],
	[ checkpoint_committed => 'the row is durable, the decoder has not heard of it' ],
	[ lsn_published => 'the decoder may confirm, but has not' ],
	[ slot_confirmed => 'the slot has moved' ],
	[ life_ended => 'the workers are gone, the launcher has their buffer' ],
	[ life_begun => 'workers are ordered' ],
	[ epoch_raised => 'a life has begun, the old one left loads' ],
);
# those that are passed when a life ends or begins
my @between = qw(life_ended life_begun epoch_raised);
my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target, conf => "restart_after_crash = off\n");

for my $gap (@gaps)
{
	my ($point, $what) = @$gap;
	subtest "$point: $what" => sub {
		my $load = start_load($node);
		my $epoch = epoch_of($node);
		crash_at($node, $point, sub {
			$node->psql('postgres', 'SELECT pg_terminate_backend(' . $node->worker_pid('decoder') . ')')
			  if grep { $_ eq $point } @between;
		});
		stop_load($load);
		$node->start;
		my ($within, $values) = slot_within_row($node);
		is($within, 't', "the slot is not beyond the row: $values");
		my @workers = wait_for_workers($node, $epoch);
		cmp_ok($workers[2], '>', $epoch, 'a new epoch');
		all_rows_equal($node, $target);
	};
}

my @first = (
	[ slot_marked => 'the row says that a slot is being made' ],
	[ slot_created => 'the slot is durable, the checkpoint does not say so' ],
	[ slot_recorded => 'the checkpoint says so, nothing is decoded' ],
);

for my $gap (@first)
{
	my ($point, $what) = @$gap;
	subtest "$point: $what" => sub {
		$node->safe_psql('postgres', "SELECT dbmazz.stop_pipeline('p')");
		$node->wait_for_state('postgres', 'p', 'stopped');
		$node->safe_psql('postgres', "SELECT dbmazz.drop_pipeline('p')");
		$node->safe_psql('postgres', "SELECT dbmazz.create_pipeline('p', copy => false)");
		crash_at($node, $point, sub {
			$node->safe_psql('postgres', "SELECT dbmazz.start_pipeline('p')");
		});
		$node->start;
		$node->wait_for_state('postgres', 'p', 'streaming');
		is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_replication_slots'), 1, 'there is one slot');
		churn($node, 20);
		all_rows_equal($node, $target);
	};
}

unlike(slurp_file($node->logfile), qr/TRAP|PANIC/, 'no assertion failed');
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
