#!/usr/bin/env bash
# Writes what a release consists of, besides the image: assets.sh TAG REFERENCE FOLDER
#
# The manifests of each environment, with the image by its digest; the notes of the version; and their checksums. TAG is v and
# the version of package.json.
# shellcheck source=deploy/ci/lib.sh
. "$(dirname "$0")/lib.sh"

tag=${1:?name the tag}
reference=${2:?name the image by its digest}
folder=${3:?name the folder to write to}
here=$root/deploy/ci
by_digest "$reference"

version=$(sed -nE 's/^  "version": "(.+)",$/\1/p' "$root/package.json")
[ "$tag" = "v$version" ] || die "The tag $tag is not that of version $version"

say "Writing the assets of $version to $folder"
mkdir -p "$folder"
"$here/changelog.sh" print "$version" >"$folder/NOTES.md"
{
  echo
  echo "Image: \`$reference\`"
} >>"$folder/NOTES.md"
for overlay in dev prod; do
  "$here/render.sh" "$overlay" "$reference" >"$folder/bookreservation-$overlay.yaml"
done
(cd "$folder" && sha256sum bookreservation-*.yaml >SHA256SUMS)
