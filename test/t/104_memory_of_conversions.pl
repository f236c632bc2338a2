# What is converted to UTF-8 is forgotten after each change, not at the end of its transaction.

use strict;
use warnings;

use Test::More;

use dbmazz::Compare;
use dbmazz::Node;
use dbmazz::Sandbox;

$ENV{PGCLIENTENCODING} = 'UTF8';

my $target = dbmazz::Sandbox->new;
my $node = dbmazz::Node->start_new('main', sandbox => $target, database => 'shop',
	conf => "dbmazz.decoder_work_mem = 1MB\ndbmazz.checkpoint_interval = 100\n");

$node->safe_psql('postgres', q(CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'));
$node->safe_psql('latin1', <<~'SQL');
	CREATE EXTENSION dbmazz;
	CREATE TABLE words (id int PRIMARY KEY, a text, b text, c text);
	CREATE PUBLICATION p FOR TABLE words;
	SELECT dbmazz.create_pipeline('words', publication => 'p', slot => 'words', copy => false);
	SQL
$target->sql('CREATE DATABASE IF NOT EXISTS shop');
$target->sql($node->safe_psql('latin1', q(SELECT dbmazz.target_ddl('words'))), 'shop');
$node->run_pipeline('latin1', 'words');

# The most that the decoder has ever had, with the shared memory that it always has.
sub peak_kb
{
	my $status = PostgreSQL::Test::Utils::slurp_file('/proc/' . $node->worker_pid('decoder', 'words') . '/status');
	return $status =~ /^VmPeak:\s+(\d+) kB/m ? $1 : die 'no VmPeak';
}

sub insert_words
{
	my ($first, $n) = @_;
	$node->safe_psql('latin1', "INSERT INTO words SELECT $first + i, repeat('é', 260), repeat('ß', 260), repeat('ü', 260)
		FROM generate_series(1, $n) i");
	$node->wait_for_target('latin1', 'words');
	return;
}

# of 10000 rows, 60 MB if all were kept
insert_words(0, 10);
my $before = peak_kb();
insert_words(100, 10000);
cmp_ok(peak_kb() - $before, '<', 20 * 1024, 'the memory of the decoder does not grow with the transaction');
rows_equal($node, 'latin1', 'words', $target, 'shop.words', name => 'rows');

$node->stop;
done_testing();
