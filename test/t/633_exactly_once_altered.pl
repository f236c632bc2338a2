# delivery = exactly_once, and a target that loses a column while rows are on their
# way: nothing that was prepared without it is committed, and nothing is doubled.

use strict;
use warnings;

use Test::More;

use dbmazz::Load;
use dbmazz::Once;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = once_node($target);

sub query { return $node->safe_psql('postgres', $_[0]) }
sub alter { $target->sql("ALTER TABLE events $_[0]", 'shop'); return }
sub txns { return grep { $_->{table} eq 'events' } @{ $target->ask(GET => 'txns?db=shop')->{txns} } }

each_row_once($node, $target, 'at first');

# Kept before the rows are sent, or behind the prepare, when the schema is asked for.
for my $case ([ 'before the rows' => (fault => 'fe_hold', endpoint => 'begin') ],
	[ 'behind the prepare' => (fault => 'fe_hold', endpoint => 'schema', table => 'events') ])
{
	my ($when, @fault) = @$case;
	my %old = map { $_->{label} => 1 } txns();
	$target->clear_loads;
	$target->fault(@fault, count => 1);
	query(q(INSERT INTO events SELECT nextval('numbers'), 'new' FROM generate_series(1, 10)));
	wait_until('a request that is kept', sub { @{ $target->ask(GET => 'held')->{requests} } });
	alter('RENAME COLUMN note TO notes');
	$target->release;
	wait_until('the table to stop', sub {
		query(q(SELECT count(*) FROM dbmazz.stat_table WHERE target = 'events' AND state = 'stopped')) eq '1';
	});
	like(query(q(SELECT concat_ws(' ', error, hint) FROM dbmazz.stat_table WHERE target = 'events')),
		qr/has no column "note".*ADD COLUMN/s, "altered $when: the table stops");
	my @new = grep { !$old{ $_->{label} } } txns();
	is(join(' ', map { $_->{state} } @new), 'ABORTED', 'what was prepared is rolled back');
	is(scalar(grep { $_->{call} eq 'commit' && $_->{label} eq $new[0]{label} } calls_of($target)), 0,
		'and was never to be committed');
	query(q(SELECT dbmazz.stop_pipeline('p')));
	$node->wait_for_state('postgres', 'p', 'stopped');
	alter('RENAME COLUMN notes TO note');
	query(q(SELECT dbmazz.start_pipeline('p')));
	each_row_once($node, $target, "after it was altered $when");
}

# A column that is there again before anybody has looked: rows go again, once.
query('DELETE FROM events');
each_row_once($node, $target, 'of none');
$target->sql('TRUNCATE TABLE events', 'shop');
$target->fault(fault => 'fe_hold', endpoint => 'begin', count => 1);
query(q(INSERT INTO events SELECT nextval('numbers'), 'new' FROM generate_series(1, 10)));
wait_until('a request that is kept', sub { @{ $target->ask(GET => 'held')->{requests} } });
alter('DROP COLUMN note');
alter('ADD COLUMN note STRING');
$target->release;
each_row_once($node, $target, 'after the column was there again');
is($target->count('shop', 'events'), 10, 'no row is doubled');

# Nobody can look: it is not committed.
$target->clear_loads;
$target->fault(fault => 'fe_hold', endpoint => 'begin', count => 1);
query(q(INSERT INTO events SELECT nextval('numbers'), 'more' FROM generate_series(1, 10)));
wait_until('a request that is kept', sub { @{ $target->ask(GET => 'held')->{requests} } });
$target->fault(fault => 'fe_status', endpoint => 'schema', table => 'events', status => 503, body => 'x');
$target->release;
wait_until('some attempts', sub { scalar(calls_of($target, call => 'rollback')) >= 1 });
is(scalar(grep { $_->{call} eq 'commit' } calls_of($target)), 0, 'not committed without a look');
is($target->count('shop', 'events'), 10, 'nor visible');
$target->clear_faults;
each_row_once($node, $target, 'when it can be looked at');
is($target->count('shop', 'events'), 20, 'no row is doubled');

$node->stop;
done_testing();
