#!/bin/sh
# Every script begins with the line that names its interpreter.
for script in checks/*.sh; do
  read -r first < "$script"
  [ "$first" = "#!/bin/sh" ] || { echo "$script begins with: $first"; exit 1; }
done
