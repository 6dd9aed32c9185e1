#!/usr/bin/env bash
# Prints the section of a version of CHANGELOG.md, or gives "Unreleased" a version: changelog.sh print|release VERSION
#
# Fails when there is nothing to print, or to release. `npm version` calls it.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

action=${1:?print or release}
version=${2:?name the version}
file=$root/CHANGELOG.md

section() {
  awk -v heading="## [$1]" 'index($0, "## ") == 1 { inside = index($0, heading) == 1; next } inside' "$file" |
    sed -e '/./,$!d'
}

case $action in
  print)
    notes=$(section "$version")
    [ -n "$notes" ] || die "CHANGELOG.md says nothing about $version"
    echo "$notes"
    ;;
  release)
    [ -n "$(section Unreleased)" ] || die 'CHANGELOG.md says nothing about what is new: write it under "Unreleased"'
    [ -z "$(section "$version")" ] || die "CHANGELOG.md has a section of $version already"
    changed=$(sed "s/^## \\[Unreleased]$/&\n\n## [$version] - $(date -u +%F)/" "$file")
    echo "$changed" >"$file"
    ;;
  *) die "No such action: $action" ;;
esac
