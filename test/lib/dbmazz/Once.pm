# Once.pm - tables whose rows show when they are sent twice
#
#   use dbmazz::Once;
#   my $node = once_node($sandbox);     # pipeline "p", delivery = exactly_once
#   ...                                 # start_load($node), kill this, cut that
#   each_row_once($node, $sandbox, 'after that');
#
# events is a change log, accounts has a key and values out of line.  churn() makes
# transactions that are cut into several batches.

package dbmazz::Once;

use strict;
use warnings;

use Exporter 'import';
use JSON::PP;
use Test::More;

use dbmazz::Compare;
use dbmazz::Load;
use dbmazz::Node;

our @EXPORT = qw(once_node each_row_once calls_of leave_prepared);

my $tables = <<~'SQL';
	CREATE SEQUENCE numbers;
	CREATE TABLE events (id bigint, note text);
	ALTER TABLE events REPLICA IDENTITY FULL;
	CREATE TABLE accounts (id int PRIMARY KEY, n bigint NOT NULL, body text);
	ALTER TABLE accounts ALTER body SET STORAGE EXTERNAL;
	CREATE PUBLICATION dbmazz_pub FOR TABLE events, accounts;

	CREATE FUNCTION churn() RETURNS void LANGUAGE plpgsql AS $$
	DECLARE
		a int := 1 + (random() * 200)::int;
	BEGIN
		INSERT INTO events SELECT nextval('numbers'), md5(i::text)
		FROM generate_series(1, 1 + (random() * 50)::int) i;
		BEGIN
			CASE (random() * 6)::int
			WHEN 0 THEN
				UPDATE events SET note = note || '!' WHERE id % 200 = a;
			WHEN 1 THEN
				DELETE FROM events WHERE id % 200 = a;
			WHEN 2 THEN
				UPDATE accounts SET n = n + 1 WHERE id BETWEEN a AND a + 20;
			WHEN 3 THEN
				UPDATE accounts SET id = id + 1000 WHERE id BETWEEN a AND a + 1;
			WHEN 4 THEN
				DELETE FROM accounts WHERE id BETWEEN a AND a + 3;
			ELSE
				INSERT INTO accounts SELECT g, 0, repeat(md5(g::text), 80)
				FROM generate_series(a, a + 6) g
				ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1;
			END CASE;
			INSERT INTO events SELECT nextval('numbers'), 'last'
			FROM generate_series(1, (random() * 30)::int) i;
		EXCEPTION WHEN unique_violation OR deadlock_detected THEN
			NULL;
		END;
	END $$;
	SQL

sub once_node
{
	my ($sandbox, %options) = @_;
	my $node = dbmazz::Node->start_new('main', sandbox => $sandbox, database => 'shop',
		conf => settle_settings() . <<~'CONF' . ($options{conf} // ''));
			dbmazz.batch_max_rows = 25
			dbmazz.delivery = exactly_once
			dbmazz.audit_columns = on
			dbmazz.change_log = keyless
			CONF
	$node->safe_psql('postgres', $tables);
	$node->create_target('postgres', "public.$_", $sandbox, 'shop') for qw(events accounts);
	$node->safe_psql('postgres', q(SELECT dbmazz.create_pipeline('p', copy => false)));
	$node->run_pipeline('postgres', 'p');
	churn($node, 10);
	return $node;
}

# What came less what went is what the source has, and no change came twice.
sub each_row_once
{
	my ($node, $sandbox, $when) = @_;
	my (%sum, %seen, @again, %source);
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$node->wait_for_target('postgres', 'p');
	for my $row (map { decode_json($_) } @{ $sandbox->rows('shop', 'events') })
	{
		my $place = "$row->{dbmazz_cdc_version} $row->{dbmazz_cdc_sequence}";
		push @again, $place if $seen{$place}++;
		$sum{"$row->{id} $row->{note}"} += $row->{dbmazz_is_deleted} ? -1 : 1;
	}
	delete @sum{ grep { $sum{$_} == 0 } keys %sum };
	$source{$_}++ for split /\n/, $node->safe_psql('postgres', q(SELECT id || ' ' || note FROM events));
	my @missing = grep { ($sum{$_} // 0) < $source{$_} } keys %source;
	my @doubled = grep { $sum{$_} > ($source{$_} // 0) } keys %sum;
	my $equal = ok(!@missing && !@doubled && !@again, "each row once $when")
	  || diag('missing: ' . @missing . " (@missing[0 .. ($#missing > 4 ? 4 : $#missing)]), too many: "
		  . @doubled . " (@doubled[0 .. ($#doubled > 4 ? 4 : $#doubled)]), twice: "
		  . @again . " (@again[0 .. ($#again > 4 ? 4 : $#again)])");
	rows_equal($node, 'postgres', 'public.accounts', $sandbox, 'shop.accounts',
		name => "accounts: source = target $when");
	return $equal;
}

# Stop with a load into events, of 5 rows, that the row names and that is not
# committed; every COMMIT fails until the sandbox' faults are cleared.
sub leave_prepared
{
	my ($node, $sandbox) = @_;
	$sandbox->fault(fault => 'txn_status', call => 'commit', when => 'before', status => 503);
	$node->safe_psql('postgres', q(INSERT INTO events SELECT nextval('numbers'), 'left' FROM generate_series(1, 5)));
	wait_until('a prepared load', sub {
		grep { $_->{state} eq 'PREPARED' && $_->{table} eq 'events' } @{ $sandbox->ask(GET => 'txns?db=shop')->{txns} };
	});
	wait_until('a decision', sub {
		$node->safe_psql('postgres', q(SELECT count(*) FROM dbmazz.pipeline_tables
			WHERE target = 'events' AND prepared_lsn IS NOT NULL)) eq '1';
	});
	$node->safe_psql('postgres', q(SELECT dbmazz.stop_pipeline('p')));
	$node->wait_for_state('postgres', 'p', 'stopped');
	return;
}

# The calls of the transaction interface so far: calls_of($sandbox, call => 'commit').
sub calls_of
{
	my ($sandbox, %wanted) = @_;
	return grep {
		my $entry = $_;
		!grep { ($entry->{$_} // '') ne $wanted{$_} } keys %wanted
	} $sandbox->loads(stage => 'txn');
}

1;
