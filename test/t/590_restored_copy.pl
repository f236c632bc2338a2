# The server is put back to an older copy of its files, the target is not: epochs
# come again that were used before.  Loads must not pass for those that the target
# knows from the history that is lost.

use strict;
use warnings;

use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

use dbmazz::Load;
use dbmazz::Sandbox;

my $target = dbmazz::Sandbox->new;
my $node = loaded_node('main', $target);
$node->safe_psql('postgres', "DELETE FROM accounts; INSERT INTO accounts VALUES (1, 0, 'first')");
$node->wait_for_target('postgres', 'p');

$node->stop;
my $copy = PostgreSQL::Test::Utils::tempdir() . '/copy';
PostgreSQL::Test::RecursiveCopy::copypath($node->data_dir, $copy);
$node->start;
my $epoch = (wait_for_workers($node, 0))[2];
$node->safe_psql('postgres', "UPDATE accounts SET note = 'lost $_'") for 1 .. 3;
all_rows_equal($node, $target, 'before');

$node->stop('immediate');
PostgreSQL::Test::Utils::system_or_bail('rm', '-r', $node->data_dir);
PostgreSQL::Test::RecursiveCopy::copypath($copy, $node->data_dir);
chmod 0700, $node->data_dir;
$node->start;
is((wait_for_workers($node, 0))[2], $epoch, 'the epoch comes again');
$node->safe_psql('postgres', "UPDATE accounts SET note = 'kept'");
all_rows_equal($node, $target, 'at the end');
$node->stop;
done_testing();
