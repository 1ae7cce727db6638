/**
 * The built-in deploys as shell scripts. Every value comes in through the environment, so that no name in a pipeline
 * file can become shell code. A chart or a set of manifests is found below the artifact's own path.
 */
const need = (tool: string) => `
if ! command -v ${tool} >/dev/null 2>&1; then
  echo "${tool} is not on this machine's PATH, so nothing was deployed; install it, or deploy with a script of your own (deploy.run)" >&2
  exit 127
fi
artifact="$SHIPINATOR_ARTIFACTS_DIR/$SHIPINATOR_ARTIFACT"
`;

export const helmScript = `${need("helm")}
chart="$artifact"
if [ -d "$chart" ] && [ ! -f "$chart/Chart.yaml" ]; then
  found=$(find "$chart" -name Chart.yaml -not -path '*/charts/*/charts/*' | awk '{ print length($0) "\\t" $0 }' | sort -n | head -n 1 | cut -f 2)
  if [ -z "$found" ]; then
    echo "the artifact $SHIPINATOR_ARTIFACT holds no Chart.yaml, so there is no chart to deploy" >&2
    exit 1
  fi
  chart=\${found%/Chart.yaml}
fi
exec helm upgrade --install "$SHIPINATOR_RELEASE" "$chart" \\
  --namespace "$SHIPINATOR_NAMESPACE" --create-namespace \\
  --description "shipinator execution $SHIPINATOR_EXECUTION_ID" --wait
`;

export const kubectlScript = `${need("kubectl")}
exec kubectl apply --namespace "$SHIPINATOR_NAMESPACE" --recursive --filename "$artifact"
`;
