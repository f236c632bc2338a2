# delivery = exactly_once: what is known by its place in the WAL is forgotten when the
# pipeline goes on with another slot, whose WAL may begin lower.

use strict;
use warnings;

use Test::More;

use dbmazz::Load;
use dbmazz::Once;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = once_node($target);

sub query { return $node->safe_psql('postgres', $_[0]) }

sub of_events { return grep { $_->{table} eq 'events' } @{ $target->ask(GET => 'txns?db=shop')->{txns} } }

sub stop_it
{
	query(q(SELECT dbmazz.stop_pipeline('p')));
	$node->wait_for_state('postgres', 'p', 'stopped');
	return;
}

# ---- marks of a WAL that went further ------------------------------------------------

# They are put there by hand: what is left when the WAL was reset looks like that.
each_row_once($node, $target, 'at first');
stop_it();
query(q(UPDATE dbmazz.pipeline_tables SET done_lsn = 'FFFFFF/0', done_row = 7,
	prepared_lsn = 'FFFFFF/0', prepared_row = 7));
query(q(INSERT INTO dbmazz.skipped_row (pipeline, target, lsn, sequence, skipped_by)
	SELECT id, 'events', 'FFFFFF/0', 7, 'somebody' FROM dbmazz.pipeline));
query(q(SELECT dbmazz.repair_pipeline('p', reload => false)));
is(query('SELECT count(*) FROM dbmazz.gaps'), 0, 'nothing was written meanwhile, no table is marked');
is(query('SELECT count(*) FROM dbmazz.pipeline_tables WHERE num_nonnulls(done_lsn, done_row, prepared_lsn) > 0'), 0,
	'no marks are left');
is(query('SELECT count(*) FROM dbmazz.skipped_row'), 0, 'nor rows to skip');
$node->run_pipeline('postgres', 'p');
churn($node, 5);
each_row_once($node, $target, 'in a WAL that begins lower');

# ---- a load that is prepared ---------------------------------------------------------

leave_prepared($node, $target);
my ($label) = map { $_->{label} } grep { $_->{state} eq 'PREPARED' } of_events();
query(q(SELECT dbmazz.repair_pipeline('p', reload => false)));
is(query(q(SELECT string_agg(target, ' ') FROM dbmazz.gaps)), 'events', 'its table is marked');
$target->clear_faults;
$node->run_pipeline('postgres', 'p');
query(q(INSERT INTO events SELECT nextval('numbers'), 'later' FROM generate_series(1, 5)));
$node->wait_for_target('postgres', 'p');
is(scalar(grep { /"later"/ } @{ $target->rows('shop', 'events') }), 5, 'later rows are there');
is(join(' ', map { $_->{state} } grep { $_->{label} eq $label } of_events()), 'ABORTED', 'the load is rolled back');
is(scalar(grep { /"left"/ } @{ $target->rows('shop', 'events') }), 0, 'no row of it is there');

$node->stop;
done_testing();
