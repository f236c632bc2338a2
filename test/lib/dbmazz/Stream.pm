# Stream.pm - a server, a target and a pipeline between them, for TAP tests
#
#   use dbmazz::Stream;
#   my ($node, $target) = start_stream(
#       sql => 'CREATE TABLE orders (id int PRIMARY KEY, note text)',
#       tables => ['orders'],
#       settings => ['flush_interval=0']);
#   $node->safe_psql('postgres', q(INSERT INTO orders VALUES (1, 'x')));
#   arrived($node);
#   same_rows($node, $target, 'orders');
#
# The pipeline is "shop" in the database "postgres", its publication
# "dbmazz_pub", its target the sandbox's database "shop".

package dbmazz::Stream;

use strict;
use warnings;

use Exporter 'import';
use Test::More;

use dbmazz::Compare;
use dbmazz::Node;
use dbmazz::Sandbox;

our @EXPORT = qw(start_stream create_pipeline arrived same_rows restart_stream
  wait_for_stop stopped_tables query);

# Start all that is needed; returns the server and the sandbox.  Options: sql
# (makes the tables), tables (their targets are made), publication (what is
# published, default the tables), with (options of the publication), settings (of
# the pipeline), conf and initdb (of the server), sandbox (arguments), run => 0.
sub start_stream
{
	my (%options) = @_;
	my $target = dbmazz::Sandbox->new(args => $options{sandbox} // []);
	my $node = dbmazz::Node->start_new('main', sandbox => $target, database => 'shop',
		conf => "dbmazz.checkpoint_interval = 100\ndbmazz.retry_max_delay = 500\n"
		  . ($options{conf} // ''), initdb => $options{initdb});
	my @tables = @{ $options{tables} // [] };

	$target->sql('CREATE DATABASE shop');
	$node->safe_psql('postgres', $options{sql}) if $options{sql};
	$node->create_target('postgres', $_, $target, 'shop') for @tables;
	create_pipeline($node, %options);
	$node->run_pipeline('postgres', 'shop') if $options{run} // 1;
	return ($node, $target);
}

# The publication and the pipeline.  The environment variable DBMAZZ_TEST_FORMAT
# is another default for the format of rows.
sub create_pipeline
{
	my ($node, %options) = @_;
	my $published = $options{publication} // 'TABLE ' . join ', ', @{ $options{tables} };
	my $with = $options{with} ? "WITH ($options{with})" : '';
	my @settings = @{ $options{settings} // [] };
	push @settings, "starrocks_format=$ENV{DBMAZZ_TEST_FORMAT}" if $ENV{DBMAZZ_TEST_FORMAT};
	my $settings = join ', ', map { "'$_'" } @settings;

	$node->safe_psql('postgres', <<~"SQL");
		CREATE PUBLICATION dbmazz_pub FOR $published $with;
		SELECT dbmazz.create_pipeline('shop', copy => false,
			settings => ARRAY[$settings]::text[]);
		SQL
	return;
}

# Wait until all that is committed now is in the target.
sub arrived
{
	my ($node) = @_;
	return $node->wait_for_target('postgres', 'shop');
}

# Wait for that, then compare tables row by row.
sub same_rows
{
	my ($node, $target, @tables) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	arrived($node);
	rows_equal($node, 'postgres', $_, $target, "shop.$_") for @tables;
	return;
}

# Stop it, do something, start it again.
sub restart_stream
{
	my ($node, $between) = @_;
	$node->safe_psql('postgres', q(SELECT dbmazz.stop_pipeline('shop')));
	$node->wait_for_state('postgres', 'shop', 'stopped');
	$between->() if $between;
	return $node->run_pipeline('postgres', 'shop');
}

# Wait until a table has stopped; returns its error, detail and hint in one text.
sub wait_for_stop
{
	my ($node, $table) = @_;
	$node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM dbmazz.stat_table WHERE target = '$table' AND state = 'stopped')")
	  or die "$table did not stop: " . query($node, 'TABLE dbmazz.stat_table');
	return query($node,
		"SELECT concat_ws(E'\\n', error, detail, hint) FROM dbmazz.stat_table WHERE target = '$table'");
}

# The names of the tables that have stopped.
sub stopped_tables
{
	my ($node) = @_;
	return query($node, q(SELECT coalesce(string_agg(target, ' ' ORDER BY target), '')
		FROM dbmazz.stat_table WHERE state = 'stopped'));
}

sub query
{
	my ($node, $sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

1;
